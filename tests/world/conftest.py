"""Base folders and adapters of real sizes, without weights of a base."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from videoguard.world.adapters.checks import matches
from videoguard.world.architecture import PUBLISHED, published_architecture

pytest.importorskip("diffusers")

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
"""The seed's targets q_proj, k_proj, v_proj, output_proj, mlp.layer1 and mlp.layer2 in diffusers' words."""
Weights = dict[str, Any]


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="session")
def base_2b(tmp_path_factory) -> Path:
    """Folder of a base with the configuration of the 2B transformer, and not one weight."""
    folder: Path = tmp_path_factory.mktemp("base-2b")
    write_json(folder / "model_index.json", {"_class_name": "Cosmos2VideoToWorldPipeline"})
    write_json(folder / "transformer" / "config.json", {"_class_name": "CosmosTransformer3DModel", **PUBLISHED["2B"]})
    return folder


def lora_weights(size: str = "2B", rank: int = 16, targets: list[str] | None = None) -> Weights:
    """LoRA weights of zeros under peft's names, for a published size of the transformer."""
    import torch

    weights: Weights = {}
    for module, (out, inward) in published_architecture(size).linear.items():
        if matches(module, targets or TARGETS):
            weights[f"base_model.model.{module}.lora_A.weight"] = torch.zeros(rank, inward, dtype=torch.bfloat16)
            weights[f"base_model.model.{module}.lora_B.weight"] = torch.zeros(out, rank, dtype=torch.bfloat16)
    return weights


@pytest.fixture
def save_adapter(tmp_path) -> Callable[..., Path]:
    """Writes a peft folder: the weights given, and settings that fit the 2B weights of rank 16 but for the changes given."""
    from safetensors.torch import save_file

    def save(weights: Weights, **changes: object) -> Path:
        folder: Path = tmp_path / "adapter"
        settings = {"peft_type": "LORA", "r": 16, "lora_alpha": 16, "target_modules": TARGETS, **changes}
        kept = {name: value for name, value in settings.items() if value is not None}
        write_json(folder / "adapter_config.json", kept)
        save_file(weights, str(folder / "adapter_model.safetensors"))
        return folder

    return save


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory) -> Path:
    """Folder of a tiny pipeline of random weights."""
    from videoguard.config.world import TinyWorld
    from videoguard.world.tiny import build_tiny_world

    folder: Path = tmp_path_factory.mktemp("tiny-world") / "pipeline"
    build_tiny_world(TinyWorld(), 0, folder)
    return folder


@pytest.fixture(scope="session")
def tiny_adapters(tiny_world, tmp_path_factory) -> dict[str, Path]:
    """Two adapters of the tiny pipeline with random weights, as peft folders in diffusers' words."""
    import torch
    from safetensors.torch import save_file

    from videoguard.world.adapters.checks import check_adapter
    from videoguard.world.adapters.converting import convert_adapter
    from videoguard.world.adapters.files import read_adapter
    from videoguard.world.architecture import read_architecture

    model = read_architecture(tiny_world)
    random = torch.Generator().manual_seed(0)
    made: dict[str, Path] = {}
    for name in ("red", "blue"):
        folder: Path = tmp_path_factory.mktemp(name)
        weights = {
            f"base_model.model.{module}.lora_{half}.weight": 0.2 * torch.randn(shape, generator=random)
            for module, (out, inward) in model.linear.items()
            if matches(module, TARGETS)
            for half, shape in (("A", (4, inward)), ("B", (out, 4)))
        }
        settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": TARGETS}
        write_json(folder / "given" / "adapter_config.json", settings)
        save_file(weights, str(folder / "given" / "adapter_model.safetensors"))
        found = read_adapter(folder / "given")
        convert_adapter(found, check_adapter(found, model), folder / "converted")
        made[name] = folder / "converted"
    return made


@pytest.fixture(scope="session")
def long_video(tmp_path_factory) -> Path:
    """Forty frames at 10 per second, 160×64, the grey of each five times its number."""
    import numpy as np

    from videoguard.exercises.video import write_video

    path: Path = tmp_path_factory.mktemp("video") / "long.mp4"
    frames = np.repeat(5 * np.arange(40, dtype=np.uint8), 64 * 160 * 3).reshape(40, 64, 160, 3)
    write_video(path, frames, 10)
    return path
