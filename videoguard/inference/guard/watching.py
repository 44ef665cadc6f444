"""A stream judged to its end or to where it is interrupted: what the command does, without its screen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from videoguard.dataset.messages import PromptTemplates
from videoguard.errors import UserError
from videoguard.frames.rule import FrameRule
from videoguard.inference.guard.guard import GuardSettings, Response, StreamingGuard
from videoguard.inference.guard.sources import Source, TimedPicture
from videoguard.inference.guard.trace import Alarm, ClipTrace, FrameDecision, GuardTrace, alarms_of
from videoguard.manifests.formats.guard_categories import CATEGORIES, QUESTION
from videoguard.models.base import find_base
from videoguard.models.families import require_streaming
from videoguard.models.loading import load_adapted, load_model, load_processor
from videoguard.models.media import Pictures
from videoguard.models.preprocessing import Preprocessor, digest_processor, read_record

Seen = FrameDecision | ClipTrace | Response
PLAIN_RULE = FrameRule(count=8, max_side=448, codec="jpeg", jpeg_quality=95)
"""What a base model without an adapter is shown: InternVL's own size."""


class WatchReport(BaseModel):
    """What was seen of a stream, as the command writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    model: str
    complete: bool
    """Whether the stream was judged to its end."""
    thresholds: dict[str, float]
    trace: GuardTrace
    response: str | None
    """The answer at the end; None where there is none."""
    dropped: int
    """Frames that were left out since the guard was behind."""
    problems: list[str]


@dataclass
class Watch:
    """A stream being judged; what was seen so far is in `clips` and `frames`."""

    guard: StreamingGuard
    source: Source
    clips: list[ClipTrace] = field(default_factory=list)
    frames: list[FrameDecision] = field(default_factory=list)
    """Of the clip that is not over yet."""
    alarms: list[Alarm] = field(default_factory=list)
    pictures: list[TimedPicture] = field(default_factory=list)
    """Small ones, of frames spread over the stream and of its alarms."""
    response: Response | None = None
    complete: bool = False

    def events(self) -> Iterator[Seen]:
        """Decisions, clips and the answer at the end, as they come."""
        before: tuple[str, ...] = ()
        for seen in self.guard.watch(self._kept(self.source.frames())):
            if isinstance(seen, FrameDecision):
                self.alarms += alarms_of([seen], before)
                before = seen.raised
                self.frames.append(seen)
            else:
                self.clips.append(seen)
                self.frames = []
            yield seen
        self.response = self.guard.respond()
        self.complete = True
        yield self.response

    def report(self, model: str, thresholds: Mapping[str, float]) -> WatchReport:
        """What was seen so far."""
        unfinished = [ClipTrace(frames=tuple(self.frames), summary=None)] if self.frames else []
        verdict = None if self.response is None else self.response.verdict
        return WatchReport(
            source=self.source.target,
            model=model,
            complete=self.complete and not self.source.problems,
            thresholds=dict(thresholds),
            trace=GuardTrace(
                clips=(*self.clips, *unfinished),
                alarms=tuple(self.alarms),
                description=None if verdict is None else verdict.description,
                verdict=None if verdict is None else verdict.labels,
            ),
            response=None if self.response is None else self.response.text,
            dropped=self.source.dropped,
            problems=list(self.source.problems),
        )

    def _kept(self, frames: Iterator[TimedPicture]) -> Iterator[TimedPicture]:
        for time, picture in frames:
            self.pictures.append((time, _small(picture)))
            if len(self.pictures) > 2 * _PICTURES:
                self.pictures = self.pictures[::2]
            yield time, picture


_PICTURES = 64
_SMALL_SIDE = 96


def read_thresholds(given: list[str]) -> dict[str, float]:
    """The thresholds that are written `C3=0.6`, or `0.6` for every category.

    Raises:
        UserError: naming each that cannot be read.
    """
    thresholds: dict[str, float] = {}
    for text in given:
        code, marked, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if (marked and code not in CATEGORIES) or not 0.0 < value <= 1.0:
            raise UserError(
                f"--threshold {text}: write C3=0.6 for one of {', '.join(CATEGORIES)}, or 0.6 for all; above 0, at most 1"
            )
        thresholds |= {code: value} if marked else dict.fromkeys(CATEGORIES, value)
    return thresholds


def load_watch(
    base: str,
    adapter: Path | None,
    target: str,
    *,
    dtype: str,
    fps: float,
    clip_frames: int,
    wait: float,
    thresholds: Mapping[str, float],
) -> Watch:
    """A stream, and the model that is to judge it as it was trained.

    Args:
        base: folder or hub name.
        adapter: folder; None for the base alone.
        target: a file, a folder or an address.
        dtype: number format of the weights.
        fps: frames a second.
        clip_frames: frames of a clip.
        wait: seconds without anything new after which a folder or a camera has ended.
        thresholds: of the alarms.

    Raises:
        UserError: there is nothing at the target, or the model is refused.
    """
    Source(target, PLAIN_RULE).check()
    found = find_base(base)
    require_streaming(found.family.model_type)
    processor = load_processor(found)
    rule, question, system = PLAIN_RULE, QUESTION, None
    if adapter is not None:
        record = read_record(adapter)
        now: dict[str, Any] = {"base_digest": found.digest, "processor_digest": digest_processor(processor)}
        record.require_same(record.model_copy(update=now), adapter)
        rule = record.frame_rule()
        prompt = PromptTemplates(record.system_prompt, record.question).fill({"question": QUESTION})
        question, system = prompt.question, prompt.system
    model = load_model(found, dtype) if adapter is None else load_adapted(found, dtype, adapter)
    settings = GuardSettings(question=question, system=system, thresholds=thresholds, clip_frames=clip_frames)
    guard = StreamingGuard(model, Preprocessor(processor, found.family), settings)
    return Watch(guard, Source(target, rule, fps, wait))


def _small(picture: Pictures) -> Pictures:
    """A picture as a thumbnail: each so many rows and columns."""
    step = max(1, max(picture.shape[1:3]) // _SMALL_SIDE)
    return picture[:, ::step, ::step]
