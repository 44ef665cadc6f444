"""Conversations and pictures that the tests of models share."""

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from videoguard.config.model import TinyFamily
from videoguard.models.families import family_of

FAMILIES: tuple[str, ...] = get_args(TinyFamily)
SEEING = tuple(family for family in FAMILIES if family_of(family).media != "text")
READING = tuple(family for family in FAMILIES if family_of(family).media == "text")

VIDEO: dict[str, Any] = {"type": "video"}
IMAGE: dict[str, Any] = {"type": "image"}


def say(role: Literal["system", "user", "assistant"], text: str, *media: dict[str, Any]) -> Any:
    """A message that shows media and then says something."""
    return {"role": role, "content": [*media, {"type": "text", "text": text}]}


def pictures(count: int, seed: int = 0, height: int = 48, width: int = 64) -> npt.NDArray[np.uint8]:
    """Random frames."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def shown(family: str, *media: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The media, or nothing where the family reads text only."""
    return media if family in SEEING else ()
