"""The names of NVIDIA's own checkpoints in the words of diffusers.

diffusers converts a whole base model (`scripts/convert_cosmos_to_diffusers.py` of its repository), but no LoRA.
"""

import re

_PREFIXES = ("base_model.model.", "net_ema.", "net.", "transformer.", "module.", "model.")
_PARTS = (
    ("blocks", "transformer_blocks"),
    ("self_attn", "attn1"),
    ("cross_attn", "attn2"),
    ("q_proj", "to_q"),
    ("k_proj", "to_k"),
    ("v_proj", "to_v"),
    ("output_proj", "to_out.0"),
    ("q_norm", "norm_q"),
    ("k_norm", "norm_k"),
    ("mlp.layer1", "ff.net.0.proj"),
    ("mlp.layer2", "ff.net.2"),
    ("adaln_modulation_self_attn.1", "norm1.linear_1"),
    ("adaln_modulation_self_attn.2", "norm1.linear_2"),
    ("adaln_modulation_cross_attn.1", "norm2.linear_1"),
    ("adaln_modulation_cross_attn.2", "norm2.linear_2"),
    ("adaln_modulation_mlp.1", "norm3.linear_1"),
    ("adaln_modulation_mlp.2", "norm3.linear_2"),
    ("t_embedder.1", "time_embed.t_embedder"),
    ("t_embedding_norm", "time_embed.norm"),
    ("x_embedder.proj.1", "patch_embed.proj"),
    ("final_layer.adaln_modulation.1", "norm_out.linear_1"),
    ("final_layer.adaln_modulation.2", "norm_out.linear_2"),
    ("final_layer.linear", "proj_out"),
)
# Counters of the training, tables that the model computes itself, and what Transformer Engine keeps for itself.
_WITHOUT_MEANING = re.compile(r"(^|\.)(accum_[^.]*|pos_embedder|_extra_state)(\.|$)")
_LORA = re.compile(r"(?P<module>.+)\.lora_(?P<half>[AB])(\.(?!weight$)[^.]+)?\.weight")


def diffusers_name(name: str) -> str:
    """The name of a parameter, module or LoRA target as diffusers has it; one that is so already stays.

    `net.blocks.0.self_attn.q_proj.base_layer.weight` is `transformer_blocks.0.attn1.to_q.weight`.
    """
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    # Replaced by whole parts: `blocks` is also the end of `transformer_blocks`.
    dotted = f".{name}.".replace(".base_layer.", ".")
    for theirs, ours in _PARTS:
        dotted = dotted.replace(f".{theirs}.", f".{ours}.")
    return dotted[1:-1]


def split_lora(name: str) -> tuple[str, str] | None:
    """Module, in diffusers' words, and half (`A` or `B`) of a LoRA weight; None for any other parameter.

    `base_model.model.blocks.3.mlp.layer1.lora_A.default.weight` is `("transformer_blocks.3.ff.net.0.proj", "A")`.
    """
    found = _LORA.fullmatch(name)
    return None if found is None else (diffusers_name(found["module"]), found["half"])


def has_meaning(name: str) -> bool:
    """Whether a key of a checkpoint is a weight of the model at all."""
    return _WITHOUT_MEANING.search(name) is None
