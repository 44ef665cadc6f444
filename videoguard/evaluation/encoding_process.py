"""A second process that encodes sentences while this one computes the other metrics."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from videoguard.errors import UnavailableError
from videoguard.evaluation.encoding import FloatArray, TextEncoder, load_text_encoder
from videoguard.evaluation.resources import MissingResourceError
from videoguard.subprocesses import Emit, ProcessFailedError, call

_TIMEOUT_S = 24 * 3600.0


class EncodingRequest(BaseModel):
    """What is to be encoded."""

    sentence_model: str
    texts: list[str]
    vectors: Path
    """Where the vectors are written, one a text."""


class EncodingReply(BaseModel):
    """Whether there are vectors."""

    encoded: bool
    """False where the encoder cannot be had; who asks for it says why."""


class EncodingAhead:
    """A text encoder whose vectors of given texts are computed in another process, from now on.

    Other texts, and these where the other process had no encoder, are encoded here.

    Args:
        sentence_model: folder or hub name of the encoder.
        texts: what will be asked for; each once.
        folder: where the vectors may be written.
    """

    def __init__(self, sentence_model: str, texts: Sequence[str], folder: Path) -> None:
        self._sentence_model = sentence_model
        request = EncodingRequest(sentence_model=sentence_model, texts=list(texts), vectors=folder / "vectors.npy")
        waiting = ThreadPoolExecutor(1)
        self._vectors: Future[dict[str, FloatArray]] = waiting.submit(_encode_elsewhere, request)
        waiting.shutdown(wait=False)

    def encoder(self) -> TextEncoder:
        """The encoder, once the other process is done.

        Raises:
            MissingResourceError: it cannot be had.
            UnavailableError: the other process ended before its time.
        """
        known = self._vectors.result()
        if not known:
            return load_text_encoder(self._sentence_model)
        return _Known(known, self._sentence_model)


class _Known:
    """Known vectors; the encoder is loaded for a text that is not among them."""

    def __init__(self, known: dict[str, FloatArray], sentence_model: str) -> None:
        self._known = known
        self._sentence_model = sentence_model

    def encode(self, texts: Sequence[str]) -> FloatArray:
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known |= zip(new, load_text_encoder(self._sentence_model).encode(new), strict=True)
        return np.stack([self._known[text] for text in texts])


def _encode_elsewhere(request: EncodingRequest) -> dict[str, FloatArray]:
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    try:
        reply = call(__name__, request, EncodingReply, threads=threads, timeout_s=_TIMEOUT_S)
    except ProcessFailedError as end:
        raise UnavailableError(f"the process that encodes sentences ended before its time: {end}") from end
    return dict(zip(request.texts, np.load(request.vectors), strict=True)) if reply.encoded else {}


def _encode(request: EncodingRequest, emit: Emit) -> EncodingReply:
    try:
        encoder = load_text_encoder(request.sentence_model)
    except MissingResourceError:
        return EncodingReply(encoded=False)
    np.save(request.vectors, encoder.encode(request.texts))
    return EncodingReply(encoded=True)


SERVED = (EncodingRequest, _encode)
