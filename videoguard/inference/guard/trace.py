"""What the guard said of a video: decisions, clips, alarms and verdict. Loads no model code."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from videoguard.dataset.guard import UnsafeSpan

THRESHOLD = 0.5
"""Probability from which on a category raises an alarm unless it is told otherwise."""


class FrameDecision(BaseModel):
    """What the guard says of one frame."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: float
    """Seconds from the beginning of the stream."""
    labels: tuple[str, ...]
    """Categories that the model writes; none where it writes that the frame is safe."""
    probabilities: dict[str, float]
    """Of each category, that the model names it; from the logits."""
    raised: tuple[str, ...]
    """Categories whose probability passes their threshold."""
    wanted: tuple[str, ...] | None = None
    """Categories that somebody says are seen in it; None where nobody does."""


class ClipTrace(BaseModel):
    """A clip that is over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str | None = None
    """Name of the clip, where the stream came in clips."""
    frames: tuple[FrameDecision, ...]
    summary: str | None
    wanted_summary: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Categories that the model writes of any of its frames."""
        return tuple(sorted({code for frame in self.frames for code in frame.labels}))


class Alarm(BaseModel):
    """A category that passes its threshold, and did not in the frame before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    time: float
    """Seconds from the beginning of the stream."""
    probability: float


class GuardTrace(BaseModel):
    """All that the guard said of a video."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: tuple[ClipTrace, ...]
    alarms: tuple[Alarm, ...]
    description: str | None = None
    verdict: tuple[str, ...] | None = None
    """Categories that the answer at the end names; None where its guardrail cannot be read, or there is no answer."""
    wanted: tuple[str, ...] | None = None
    """Categories of the video, as somebody says; None where nobody does."""
    spans: tuple[UnsafeSpan, ...] = ()
    """Where something unsafe is seen, as somebody says."""

    @property
    def frames(self) -> list[FrameDecision]:
        """The decisions in order."""
        return [frame for clip in self.clips for frame in clip.frames]


def raise_categories(probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> tuple[str, ...]:
    """The categories that pass their threshold."""
    return tuple(sorted(code for code, value in probabilities.items() if value >= thresholds.get(code, THRESHOLD)))


def alarms_of(frames: Iterable[FrameDecision], before: tuple[str, ...] = ()) -> list[Alarm]:
    """An alarm wherever a category is raised that was not raised in the frame before.

    Args:
        frames: decisions in order.
        before: categories that were raised in the frame before the first.
    """
    alarms = []
    for frame in frames:
        alarms += [
            Alarm(category=code, time=frame.time, probability=frame.probabilities[code])
            for code in frame.raised
            if code not in before
        ]
        before = frame.raised
    return alarms
