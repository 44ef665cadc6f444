"""The streaming guard on a tiny InternVL with random weights: not what it decides counts, but how."""

from collections.abc import Callable

import numpy as np
import pytest

from videoguard.config import TinyModel
from videoguard.inference.guard.guard import GuardSettings, StreamingGuard
from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.loading import load_model, load_processor
from videoguard.models.media import Pictures
from videoguard.models.preprocessing import Preprocessor
from videoguard.models.tiny.building import build_tiny
from videoguard.models.tiny.pretraining import tokenizer_corpus


@pytest.fixture(scope="session")
def streaming_base(tmp_path_factory) -> BaseModelFolder:
    """Of weights that name one category in some frames, several in others, and none in others still."""
    folder = tmp_path_factory.mktemp("streaming")
    build_tiny(TinyModel(), tokenizer_corpus(), 0, folder)
    return find_base(str(folder))


@pytest.fixture(scope="session")
def streaming_model(streaming_base):
    return load_model(streaming_base, "float32")


@pytest.fixture(scope="session")
def streaming_preprocessor(streaming_base) -> Preprocessor:
    base = streaming_base
    return Preprocessor(load_processor(base), base.family)


@pytest.fixture
def guard(streaming_model, streaming_preprocessor) -> Callable[..., StreamingGuard]:
    """Gives a guard with some of its settings changed."""

    def build(**settings: object) -> StreamingGuard:
        short = {"summary_tokens": 8, "response_tokens": 16}
        return StreamingGuard(
            streaming_model,
            streaming_preprocessor,
            GuardSettings(**(short | settings)),  # type: ignore[arg-type]
        )

    return build


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Forty frames of noise: `(40, 1, 64, 64, 3)`."""
    return np.random.default_rng(0).integers(0, 256, (40, 1, 64, 64, 3), dtype=np.uint8)
