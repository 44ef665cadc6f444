"""An adapter of any layout to one peft folder in diffusers' words, and the base within NVIDIA's checkpoint to compare."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from videoguard.errors import UserError
from videoguard.world.adapters.checks import AdapterFacts
from videoguard.world.adapters.files import CONFIG, WEIGHTS, AdapterFile, load_pt

if TYPE_CHECKING:
    from torch import Tensor

_COMPARED = (
    "patch_embed.proj.weight",
    "transformer_blocks.0.attn1.to_q.weight",
    "transformer_blocks.0.ff.net.2.weight",
    "proj_out.weight",
)
# Numbers of 16 bits (bfloat16) have 8 of precision.
_ROUNDING = 2.0**-7


def convert_adapter(adapter: AdapterFile, facts: AdapterFacts, folder: Path) -> None:
    """Write the LoRA weights and their settings to a folder that peft loads onto diffusers' transformer.

    The same weights give the same bytes, whatever layout they came in.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    named = {f"base_model.model.{module}.lora_{half}.weight": weight for (module, half), weight in _weights(adapter)}
    save_file(dict(sorted(named.items())), str(folder / WEIGHTS), metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(peft_settings(facts), indent=1) + "\n", encoding="utf-8")


def peft_settings(facts: AdapterFacts) -> dict[str, object]:
    """The settings of peft's `LoraConfig` for an adapter."""
    return {
        "peft_type": "LORA",
        "r": facts.rank,
        "lora_alpha": facts.alpha,
        "rank_pattern": facts.ranks,
        # Whole names: an end such as to_q may name a module that the adapter leaves alone.
        "target_modules": facts.modules,
        "use_rslora": facts.use_rslora,
        "lora_dropout": 0.0,
        "bias": "none",
    }


def require_same_base(adapter: AdapterFile, base: Path) -> None:
    """Compare some weights of the base within NVIDIA's checkpoint with those of a base folder.

    LoRA post-training leaves the base as it was; an adapter on another base gives other pictures without complaint.

    Raises:
        UserError: they differ by more than rounding to 16 bits.
    """
    import torch

    if not adapter.base_keys:
        return
    inside = load_pt(adapter.path)
    for name in _COMPARED:
        theirs, ours = inside.get(adapter.base_keys.get(name, "")), _base_weight(base, name)
        if theirs is None or ours is None:
            continue
        if theirs.shape != ours.shape or not torch.allclose(
            theirs.float(), ours.float(), rtol=_ROUNDING, atol=float(ours.float().abs().mean()) * _ROUNDING
        ):
            raise UserError(
                f"adapter {adapter.path}: it was trained on another base than {base}: their weights of {name} differ; "
                "give the base of its post-training"
            )


def _weights(adapter: AdapterFile) -> "Iterator[tuple[tuple[str, str], Tensor]]":
    from safetensors import safe_open

    if adapter.layout == "nvidia":
        loaded = load_pt(adapter.path)
        for place, key in adapter.keys.items():
            yield place, loaded[key].contiguous()
        return
    with safe_open(str(adapter.weights), framework="pt") as opened:
        for place, key in adapter.keys.items():
            yield place, opened.get_tensor(key).contiguous()


def _base_weight(base: Path, name: str) -> "Tensor | None":
    """One weight of the transformer, from the file that holds it."""
    from safetensors import safe_open

    for file in sorted((base / "transformer").glob("*.safetensors")):
        with safe_open(str(file), framework="pt") as opened:
            if name in opened.keys():  # noqa: SIM118  no mapping
                weight: Tensor = opened.get_tensor(name)
                return weight
    return None
