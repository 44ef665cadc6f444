"""NVIDIA's names in diffusers' words."""

import pytest

from videoguard.world.adapters.names import diffusers_name, has_meaning, split_lora


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("net.blocks.0.self_attn.q_proj.base_layer.weight", "transformer_blocks.0.attn1.to_q.weight"),
        ("net_ema.blocks.27.cross_attn.output_proj.weight", "transformer_blocks.27.attn2.to_out.0.weight"),
        ("blocks.3.self_attn.q_norm.weight", "transformer_blocks.3.attn1.norm_q.weight"),
        ("net.blocks.1.mlp.layer1.weight", "transformer_blocks.1.ff.net.0.proj.weight"),
        ("net.blocks.1.mlp.layer2.weight", "transformer_blocks.1.ff.net.2.weight"),
        ("net.blocks.1.adaln_modulation_mlp.2.weight", "transformer_blocks.1.norm3.linear_2.weight"),
        ("net.blocks.1.adaln_modulation_cross_attn.1.weight", "transformer_blocks.1.norm2.linear_1.weight"),
        ("net.t_embedder.1.linear_1.weight", "time_embed.t_embedder.linear_1.weight"),
        ("net.t_embedding_norm.weight", "time_embed.norm.weight"),
        ("net.x_embedder.proj.1.weight", "patch_embed.proj.weight"),
        ("net.final_layer.linear.weight", "proj_out.weight"),
        ("net.final_layer.adaln_modulation.2.weight", "norm_out.linear_2.weight"),
        ("transformer_blocks.0.attn1.to_q.weight", "transformer_blocks.0.attn1.to_q.weight"),
        ("mlp.layer1", "ff.net.0.proj"),
    ],
)
def test_a_name(theirs, ours):
    assert diffusers_name(theirs) == ours


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net.blocks.3.mlp.layer1.lora_A.default.weight", ("transformer_blocks.3.ff.net.0.proj", "A")),
        ("base_model.model.transformer_blocks.3.attn1.to_q.lora_B.weight", ("transformer_blocks.3.attn1.to_q", "B")),
        ("net.blocks.3.mlp.layer1.base_layer.weight", None),
        ("transformer_blocks.3.attn1.to_q.lora_magnitude_vector", None),
    ],
)
def test_a_lora_weight(name, expected):
    assert split_lora(name) == expected


@pytest.mark.parametrize(
    "name", ["net.accum_image_sample_counter", "net.pos_embedder.dim_spatial_range", "net.blocks.0.self_attn._extra_state"]
)
def test_what_is_no_weight(name):
    assert not has_meaning(name)
    assert has_meaning("net.blocks.0.self_attn.q_proj.weight")
