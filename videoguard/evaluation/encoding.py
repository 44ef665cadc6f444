"""Sentence embeddings for the metrics: each distinct text encoded once, with texts of its length."""

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.sentence_model import SentenceModel, locate_sentence_model, mend_words

_BATCH = 64

FloatArray = npt.NDArray[np.float64]


class TextEncoder(Protocol):
    """Vectors of texts."""

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length, shape (texts, width), in the order of the texts."""
        ...


class DistinctEncoder:
    """A text encoder on any function from texts to vectors. What it has encoded it remembers, while it lives.

    References repeat, and so do the answers of a model that knows few phrases. Texts of like length stand in one batch,
    which keeps padding small.
    """

    def __init__(self, vectors_of: Callable[[list[str]], npt.NDArray[np.float32]]) -> None:
        self._vectors_of = vectors_of
        self._known: dict[str, FloatArray] = {}

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length, shape (texts, width), in the order of the texts."""
        new = sorted(set(texts) - self._known.keys(), key=lambda text: (len(text), text))
        if new:
            vectors = np.asarray(self._vectors_of(new), dtype=np.float64)
            self._known |= zip(new, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True)
        return np.stack([self._known[text] for text in texts])


def load_text_encoder(name: str) -> TextEncoder:
    """The encoder of a folder or hub name, on the GPU where there is one. The last one is kept loaded.

    Raises:
        MissingResourceError: it cannot be had, or its files cannot be loaded.
    """
    return DistinctEncoder(_load(locate_sentence_model(name)))


@functools.lru_cache(maxsize=1)
def _load(located: SentenceModel) -> Callable[[list[str]], npt.NDArray[np.float32]]:
    from safetensors import SafetensorError

    from videoguard.evaluation.bert_encoder import BertEncoder, is_plain_bert

    try:
        if is_plain_bert(located.folder):
            return BertEncoder(located.folder).encode
        return _with_library(located)
    # RuntimeError: weights of another shape than the configuration says.
    except (OSError, ValueError, KeyError, SafetensorError, RuntimeError) as fault:
        fault_line = f"sentence model {located.folder} cannot be loaded: {fault}"
        raise MissingResourceError(fault_line, mend_words(located.name)) from fault


def _with_library(located: SentenceModel) -> Callable[[list[str]], npt.NDArray[np.float32]]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(located.folder), local_files_only=True)

    def vectors_of(texts: list[str]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = model.encode(
            texts, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
        )
        return found

    return vectors_of
