"""The pipeline: what the library gets wrong is set right, and adapters do what their weights say, seen on latents."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.world.test_converting import nvidia_name
from videoguard.errors import UserError
from videoguard.world.adapters.attaching import AttachingError, attach, attached, count_tensors, use_adapters
from videoguard.world.pipeline import MODEL_FPS, World, load_world

GREY = np.full((5, 64, 96, 3), 128, dtype=np.uint8)


@pytest.fixture(scope="module")
def world(tiny_world, tiny_adapters) -> World:
    return load_world(tiny_world, adapters=tiny_adapters)


def latents(world: World, weights: dict[str, float], condition=GREY, **changes: Any) -> str:
    settings: dict[str, Any] = {"frames": 9, "steps": 2, "guidance": 3.0, "seed": 0, **changes}
    return world.generate(condition, "a red ball rolls", weights=weights, **settings).latents_sha256


def seen_by_transformer(world: World, condition) -> list[dict[str, Any]]:
    """Named arguments of every call of the transformer while a clip is generated."""
    calls: list[dict[str, Any]] = []
    hook = world.pipeline.transformer.register_forward_pre_hook(
        lambda module, positional, named: calls.append(named), with_kwargs=True
    )
    latents(world, {}, condition)
    hook.remove()
    return calls


def test_temporal_positions_are_not_scaled_by_the_frame_rate(world):
    import torch

    rope = world.pipeline.transformer.rope
    hidden = torch.zeros(1, 16, 3, 8, 12)
    unscaled = rope(hidden, fps=None)
    assert all(torch.equal(ours, plain) for ours, plain in zip(rope(hidden, fps=MODEL_FPS), unscaled, strict=True))
    # What the library does with the rate of the clip, and NVIDIA's own code does not.
    assert not torch.equal(rope(hidden, fps=16)[0], unscaled[0])
    assert {call["fps"] for call in seen_by_transformer(world, GREY)} == {MODEL_FPS}


@pytest.mark.parametrize(("frames", "conditioned"), [(1, 1), (5, 2)])
def test_the_condition_covers_its_latent_frames(world, frames, conditioned):
    # A latent frame stands for the first frame, and each further one for four.
    for call in seen_by_transformer(world, GREY[:frames]):
        assert call["condition_mask"][0, 0, :, 0, 0].tolist() == [1.0] * conditioned + [0.0] * (3 - conditioned)


def test_the_same_seed_gives_the_same_latents(world):
    assert latents(world, {}) == latents(world, {})
    assert latents(world, {}) != latents(world, {}, seed=1)


def test_weight_zero_is_the_base_bit_for_bit(world, tiny_world):
    base = latents(load_world(tiny_world), {})
    assert latents(world, {}) == base
    assert latents(world, {"red": 0.0}) == base
    assert latents(world, {"red": 1.0}) != base
    # Switched off again, without loading.
    assert latents(world, {"red": 0.0, "blue": 0.0}) == base


def test_adapters_are_switched_and_combined_without_loading(world):
    red, blue = latents(world, {"red": 1.0}), latents(world, {"blue": 1.0})
    both, half = latents(world, {"red": 1.0, "blue": 1.0}), latents(world, {"red": 0.5})
    assert len({red, blue, both, half}) == 4
    assert latents(world, {"blue": 0.0, "red": 1.0}) == red
    assert latents(world, {"blue": 1.0}) == blue


def test_a_combination_adds_up(world):
    import torch

    transformer = world.pipeline.transformer
    layer = transformer.transformer_blocks[0].attn1.to_q
    entered = torch.randn(1, 3, layer.in_features, generator=torch.Generator().manual_seed(0))
    seen: dict[str, torch.Tensor] = {}
    for name, weights in {
        "base": {},
        "red": {"red": 1.0},
        "blue": {"blue": 1.0},
        "mixed": {"red": 0.5, "blue": 2.0},
    }.items():
        use_adapters(transformer, weights)
        with torch.inference_mode():
            seen[name] = layer(entered)
    wanted = seen["base"] + 0.5 * (seen["red"] - seen["base"]) + 2.0 * (seen["blue"] - seen["base"])
    torch.testing.assert_close(seen["mixed"], wanted, rtol=1e-4, atol=1e-5)


def test_an_unknown_adapter_is_refused(world):
    with pytest.raises(UserError, match="adapters green: not attached; there are red, blue"):
        latents(world, {"red": 1.0, "green": 1.0})


def test_two_tensors_a_module_are_attached(world):
    # Two blocks of ten modules.
    assert {name: count_tensors(world.pipeline.transformer, name) for name in attached(world.pipeline.transformer)} == {
        "red": 40,
        "blue": 40,
    }


def test_weights_that_the_library_leaves_out_are_noticed(tiny_world, tiny_adapters, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(tiny_adapters["red"] / "adapter_model.safetensors")
    kept = {name: weight for name, weight in weights.items() if ".1.ff." not in name}
    save_file(kept, str(tmp_path / "adapter_model.safetensors"))
    (tmp_path / "adapter_config.json").write_text((tiny_adapters["red"] / "adapter_config.json").read_text())
    with pytest.raises(AttachingError, match="36 LoRA tensors were loaded for 20 modules"):
        attach(load_world(tiny_world).pipeline.transformer, "red", tmp_path)


def test_nvidias_checkpoint_gives_the_latents_of_the_peft_folder(world, tiny_world, tiny_adapters, tmp_path):
    import torch
    from safetensors.torch import load_file

    from videoguard.world.adapters.checks import Expected, check_adapter
    from videoguard.world.adapters.converting import convert_adapter, require_same_base
    from videoguard.world.adapters.files import read_adapter
    from videoguard.world.architecture import read_architecture

    red = load_file(tiny_adapters["red"] / "adapter_model.safetensors")
    lora = {nvidia_name(name): weight for name, weight in red.items()}
    base = {
        nvidia_name(f"base_model.model.{name}").replace(".default.weight", ".weight"): weight
        for name, weight in load_world(tiny_world).pipeline.transformer.state_dict().items()
    }
    path = tmp_path / "iter_000002000.pt"
    torch.save(base | lora, path)
    found = read_adapter(path)
    require_same_base(found, tiny_world)
    # The alpha of the folder, which NVIDIA's file does not hold.
    convert_adapter(found, check_adapter(found, read_architecture(tiny_world), Expected(alpha=8.0)), tmp_path / "converted")
    theirs = load_world(tiny_world, adapters={"theirs": tmp_path / "converted"})
    assert latents(theirs, {"theirs": 1.0}) == latents(world, {"red": 1.0})
    assert latents(theirs, {"theirs": 0.5}) == latents(world, {"red": 0.5})


def test_offload_and_quantization_need_a_gpu(tiny_world):
    with pytest.raises(UserError, match=r"model\.offload is model: it moves parts off a GPU, and there is none here"):
        load_world(tiny_world, offload="model")
    with pytest.raises(UserError, match=r"model\.quantization is 4bit: diffusers quantizes on a GPU alone"):
        load_world(tiny_world, quantization="4bit")


def test_the_same_size_and_seed_build_the_same_pipeline(tiny_world, tmp_path):
    from videoguard.config.world import TinyWorld
    from videoguard.world.base import WorldBase, digest_base
    from videoguard.world.tiny import build_tiny_world

    def digest(folder: Path) -> str:
        return digest_base(WorldBase("tiny", folder))

    build_tiny_world(TinyWorld(), 0, tmp_path / "again")
    build_tiny_world(TinyWorld(), 1, tmp_path / "other")
    assert digest(tmp_path / "again") == digest(tiny_world) != digest(tmp_path / "other")
