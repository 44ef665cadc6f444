"""What the transformer of a base model is made of, from its configuration alone: no weight is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from videoguard.errors import UserError

# The sizes that NVIDIA published, as diffusers' conversion script builds them.
_COMMON = {
    "in_channels": 17,
    "out_channels": 16,
    "attention_head_dim": 128,
    "mlp_ratio": 4.0,
    "text_embed_dim": 1024,
    "adaln_lora_dim": 256,
    "max_size": [128, 240, 240],
    "patch_size": [1, 2, 2],
    "concat_padding_mask": True,
    "extra_pos_embed_type": None,
}
PUBLISHED: Mapping[str, Mapping[str, object]] = {
    "2B": {**_COMMON, "num_attention_heads": 16, "num_layers": 28, "rope_scale": [1.0, 3.0, 3.0]},
    "14B": {**_COMMON, "num_attention_heads": 40, "num_layers": 36, "rope_scale": [20 / 24, 2.0, 2.0]},
}
"""Configurations of the transformers of Cosmos-Predict2 Video2World at 480p and 16 frames per second, by size."""


@dataclass(frozen=True)
class Architecture:
    """The linear modules and the size of a transformer."""

    name: str
    """What messages call it."""
    linear: Mapping[str, tuple[int, int]]
    """Features out and in of every linear module, by its full name."""
    blocks: int
    parameters: int


def read_architecture(base: Path) -> Architecture:
    """The transformer of a base model folder.

    Raises:
        UserError: the folder is none of a Cosmos Predict2 pipeline.
    """
    config = base / "transformer" / "config.json"
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"base {base}: there is no transformer/config.json: give the folder or hub name of a diffusers pipeline, "
            "such as nvidia/Cosmos-Predict2-2B-Video2World"
        ) from None
    except ValueError as fault:
        raise UserError(f"base {base}: transformer/config.json is no JSON ({fault})") from None
    if settings.get("_class_name") != "CosmosTransformer3DModel":
        raise UserError(
            f"base {base}: its transformer is {settings.get('_class_name')}: it must be CosmosTransformer3DModel"
        )
    return _build(str(base), settings)


def require_diffusers() -> None:
    """Refuse where the library of the pipeline is not installed.

    Raises:
        UserError: it is not.
    """
    if find_spec("diffusers") is None:
        raise UserError("world generation needs diffusers, which is not installed: install video-guard[world]")


@cache
def published_architecture(size: str) -> Architecture:
    """The transformer of a published size, a key of `PUBLISHED`."""
    return _build(f"Cosmos-Predict2-{size}", PUBLISHED[size])


def _build(name: str, settings: Mapping[str, object]) -> Architecture:
    require_diffusers()
    import torch
    from diffusers import CosmosTransformer3DModel

    with torch.device("meta"):
        model = CosmosTransformer3DModel.from_config(dict(settings))
    linear = {
        path: (module.out_features, module.in_features)
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Architecture(name, linear, len(model.transformer_blocks), parameters)
