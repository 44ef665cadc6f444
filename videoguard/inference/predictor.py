"""Answers for video files: what a notebook, the registered model and the server call."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videoguard.dataset.messages import conversation
from videoguard.errors import UserError
from videoguard.frames.decoding import DecodeError
from videoguard.frames.store import decode_frames
from videoguard.frames.workers import read_video
from videoguard.inference.engine import Engine
from videoguard.models.base import find_base
from videoguard.models.loading import load_adapted, load_processor
from videoguard.models.preprocessing import PreprocessingRecord, Preprocessor, digest_processor, read_record


@dataclass(frozen=True)
class VideoAnswer:
    """What the model says about one video, or why it says nothing."""

    video: str
    answer: str | None
    error: str | None = None


class Predictor:
    """An adapter on its base model, fed exactly as it was trained."""

    def __init__(self, engine: Engine, preprocessor: Preprocessor, record: PreprocessingRecord) -> None:
        self._engine = engine
        self._preprocessor = preprocessor
        self._record = record

    def predict(self, videos: Sequence[Path], question: str | None = None, max_new_tokens: int = 256) -> list[VideoAnswer]:
        """An answer for each video file, in order; one that cannot be decoded gets its reason.

        Raises:
            UserError: no question is given, and the model was trained on more than one.
        """
        asked = question or self._record.question
        if asked is None:
            raise UserError("no question is given: the model was trained on the questions of its manifest, so ask one")
        return [self._predict_one(video, asked, max_new_tokens) for video in videos]

    def _predict_one(self, video: Path, question: str, max_new_tokens: int) -> VideoAnswer:
        record = self._record
        try:
            stored = read_video(video, record.frame_rule())
        except DecodeError as reason:
            return VideoAnswer(str(video), None, str(reason))
        # Through the store's codec, as the frames of the training went.
        frames = decode_frames(stored.frames)
        prompt = self._preprocessor.prompt(conversation(question, None, record.system_prompt), frames)
        return VideoAnswer(str(video), self._engine.answer([prompt], max_new_tokens)[0].text)


def load_predictor(adapter: Path, base: str, dtype: str = "float32") -> Predictor:
    """The adapter of a folder on its base model.

    Raises:
        UserError: the base, or its processor, is not the one that the adapter was trained on (both values are named).
    """
    found = find_base(base)
    processor = load_processor(found)
    record = read_record(adapter)
    now = record.model_copy(update={"base_digest": found.digest, "processor_digest": digest_processor(processor)})
    record.require_same(now, adapter)
    preprocessor = Preprocessor(processor, found.family)
    return Predictor(Engine(load_adapted(found, dtype, adapter), preprocessor), preprocessor, record)
