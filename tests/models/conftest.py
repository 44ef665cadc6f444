"""The loaded tiny base."""

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
