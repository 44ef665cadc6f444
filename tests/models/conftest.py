"""The loaded tiny base, and a tiny model of every family."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import Preprocessor


@pytest.fixture(scope="session")
def base(tiny_base) -> BaseModelFolder:
    return find_base(str(tiny_base))


@pytest.fixture(scope="session")
def preprocessor(base) -> Preprocessor:
    return Preprocessor(load_processor(base), base.family)


@pytest.fixture(scope="session")
def model(base):
    return load_model(base, "float32")


@dataclass(frozen=True)
class Loaded:
    """A tiny model of a family."""

    base: BaseModelFolder
    preprocessor: Preprocessor
    model: Any


@pytest.fixture(scope="session")
def loaded(tiny_family) -> Callable[[str], Loaded]:
    """Gives the tiny model of a family, loaded as every base model is."""
    kept: dict[str, Loaded] = {}

    def load(family: str) -> Loaded:
        if family not in kept:
            base = find_base(str(tiny_family(family)))
            kept[family] = Loaded(base, Preprocessor(load_processor(base), base.family), load_model(base, "float32"))
        return kept[family]

    return load
