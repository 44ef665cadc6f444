"""Answers for video files: what a notebook, the registered model and the server call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videoguard.dataset.messages import Prompt, PromptTemplates, conversation
from videoguard.errors import UserError
from videoguard.frames.decoding import DecodeError
from videoguard.frames.store import decode_frames
from videoguard.frames.workers import read_video
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, GenerationSettings, Outcome
from videoguard.manifests.sample import Scalar
from videoguard.models.base import find_base
from videoguard.models.loading import load_adapted, load_processor
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import Example, PreprocessingRecord, Preprocessor, digest_processor, read_record


@dataclass(frozen=True)
class VideoAnswer:
    """What the model says about one video, or to a question alone, or why it says nothing."""

    video: str | None
    answer: str | None
    error: str | None = None


class Predictor:
    """An adapter on its base model, fed exactly as it was trained."""

    def __init__(self, engine: Engine, preprocessor: Preprocessor, record: PreprocessingRecord) -> None:
        self._engine = engine
        self._preprocessor = preprocessor
        self._record = record

    @property
    def text_only(self) -> bool:
        """Whether the model is asked without videos."""
        return self._record.text_only

    def predict(
        self,
        videos: Sequence[Path | None],
        question: str | None = None,
        max_new_tokens: int = 256,
        fields: Mapping[str, Scalar] | None = None,
    ) -> list[VideoAnswer]:
        """An answer for each video file, in order; one that cannot be decoded gets its reason.

        Args:
            videos: files; None for a question that shows nothing, as a model of text alone is asked.
            question: asked in place of the one question of the training, or put where its template says `{question}`.
            max_new_tokens: longest answer.
            fields: values that the prompts of the training name besides.

        Raises:
            UserError: no question is given, and the model was trained on more than one; or the prompts name a value that is
                not given.
        """
        prompt = self._ask(question, fields or {})
        reasons: dict[int, str] = {}

        def prompts() -> Iterator[tuple[int, Example]]:
            for number, video in enumerate(videos):
                try:
                    yield number, self._prompt(video, prompt)
                except (DecodeError, UserError) as reason:
                    reasons[number] = str(reason)

        answers = dict(self._engine.answer_all(prompts(), GenerationSettings(max_new_tokens)))
        return [_told(video, answers.get(number), reasons.get(number)) for number, video in enumerate(videos)]

    def _ask(self, question: str | None, fields: Mapping[str, Scalar]) -> Prompt:
        trained = PromptTemplates(self._record.system_prompt, self._record.question)
        values = {**fields, **({"question": question} if question else {})}
        # A question of one's own takes the place of the template, unless the template wants one.
        templates = trained if not question or trained.asks_for("question") else PromptTemplates(trained.system)
        if trained.question is None and not question:
            raise UserError("no question is given: the model was trained on the questions of its manifest, so ask one")
        if lacking := templates.lacking(values):
            raise UserError(f"no value is given for {', '.join(lacking)}: the prompts of the training name it, so give one")
        return templates.fill(values)

    def _prompt(self, video: Path | None, prompt: Prompt) -> Example:
        record = self._record
        if (video is None) != record.text_only:
            raise UserError(
                f"the model {'reads text alone: give no video' if record.text_only else 'looks at videos: give one'}"
            )
        if video is None:
            return self._preprocessor.prompt(conversation(prompt.question, None, prompt.system, shows=False))
        stored = read_video(video, record.frame_rule())
        # Through the store's codec, as the frames of the training went.
        shown = TimedFrames(decode_frames(stored.frames), np.asarray(stored.timestamps_s, dtype=np.float64))
        return self._preprocessor.prompt(conversation(prompt.question, None, prompt.system), shown)


def load_predictor(
    adapter: Path, base: str, dtype: str = "float32", *, quantization: str = "none", attention: str = "auto"
) -> Predictor:
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
    model = load_adapted(found, dtype, adapter, quantization=quantization, attention=attention)
    return Predictor(Engine(model, preprocessor), preprocessor, record)


def _told(video: Path | None, outcome: Outcome | None, reason: str | None) -> VideoAnswer:
    name = None if video is None else str(video)
    if isinstance(outcome, Answer):
        return VideoAnswer(name, outcome.text)
    return VideoAnswer(name, None, outcome.reason if outcome is not None else reason)
