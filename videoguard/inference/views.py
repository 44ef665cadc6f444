"""Several looks at one video, and one answer out of theirs: windows of a long video, and changed copies of its frames."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from videoguard.augmentation.changes import Change, apply_change, draw_change
from videoguard.config import AugmentationSection
from videoguard.frames.rule import FrameRule
from videoguard.inference.rows import AnswerRow
from videoguard.inference.timelines import merge_timelines
from videoguard.inference.voting import vote
from videoguard.models.media import TimedFrames

Merge = Literal["vote", "distinct", "timeline"]

# Frames of the windows of one video together; `frames.limits` bounds what is decoded before.
_MOST_FRAMES = 1_000_000
# Nothing that would change what is right and left, or how fast something is done.
_CHANGES = AugmentationSection(rotate=5.0, brighten=0.1, contrast=0.1, shift=0.03, scale=0.05)


@dataclass(frozen=True)
class View:
    """A part of a video's stored frames, changed or as they are."""

    start: int = 0
    """First frame."""
    stop: int | None = None
    """First frame that is not shown; None where all are."""
    change: Change | None = None

    def of(self, shown: TimedFrames) -> TimedFrames:
        """What is shown: times begin with the first frame of a part, as they do in a clip of its own."""
        if self == WHOLE:
            return shown
        pictures, times = shown.pictures[self.start : self.stop], shown.times[self.start : self.stop]
        changed = pictures if self.change is None else apply_change(pictures, self.change)
        return TimedFrames(changed, times - times[0] if self.start else times)


WHOLE = View()


@dataclass(frozen=True)
class Windows:
    """A long video is cut into parts as long as what the model was trained on."""

    seconds: float
    """Length of a window."""
    overlap: float = 0.0
    """Seconds that two windows have in common."""

    def rule(self, trained: FrameRule) -> FrameRule:
        """How the whole video is sampled, so that a window has as many frames as the model was trained with."""
        return replace(trained, sampling="fps", fps=trained.count / self.seconds, stride=None, count=_MOST_FRAMES)

    def cut(self, frames: int, window: int) -> list[View]:
        """The windows of a video with so many sampled frames, `window` in each; the last ends with the video."""
        if frames <= window:
            return [WHOLE]
        step = max(1, round(window * (1 - self.overlap / self.seconds)))
        starts = [*range(0, frames - window, step), frames - window]
        return [View(start, start + window) for start in starts]


@dataclass(frozen=True)
class Looks:
    """How often a model looks at each video, and how its answers become one."""

    windows: Windows | None = None
    copies: int = 0
    """Changed copies that are looked at beside each window, or beside the whole video."""
    merge: Merge = "vote"
    """Of the windows; copies of one window always vote."""

    @property
    def is_one(self) -> bool:
        """Whether each video is looked at once, as it is."""
        return self.windows is None and self.copies == 0

    def decides(self) -> dict[str, object]:
        """What of this decides an answer."""
        return asdict(self)

    def rule(self, trained: FrameRule) -> FrameRule:
        """How videos are sampled."""
        return trained if self.windows is None else self.windows.rule(trained)

    def views(self, frames: int, window: int, content: str) -> list[list[View]]:
        """The windows of a video, each with its changed copies.

        Args:
            frames: sampled frames of the video.
            window: frames of a window.
            content: digest of the video, which the changes are drawn from.
        """
        windows = [WHOLE] if self.windows is None else self.windows.cut(frames, window)
        drawn = [draw_change(_CHANGES, 0, copy, content) for copy in range(1, self.copies + 1)]
        return [[view, *(replace(view, change=change) for change in drawn)] for view in windows]

    def merge_rows(self, rows: Sequence[Sequence[AnswerRow]], times: Sequence[tuple[float, float]]) -> AnswerRow:
        """One row out of those of the windows and their copies.

        Args:
            rows: of each window, itself first.
            times: start and end of each window, seconds.
        """
        each = [vote(copies) for copies in rows]
        answered = [(row, span) for row, span in zip(each, times, strict=True) if row.status == "ok"]
        seconds = sum(row.latency_s or 0.0 for copies in rows for row in copies)
        tokens = sum(row.new_tokens or 0 for copies in rows for row in copies)
        if not answered:
            return each[0]
        if self.merge == "vote" or len(each) == 1:
            return vote(each).model_copy(update={"latency_s": seconds, "new_tokens": tokens})
        text = _distinct(answered) if self.merge == "distinct" else _timeline(answered)
        sureness = [row.mean_token_logprob for row, _ in answered if row.mean_token_logprob is not None]
        told = {"answer": text, "generated": None, "predicted_label": None, "label_probability": None}
        mean = round(float(np.mean(sureness)), 4) if sureness else None
        return answered[0][0].model_copy(
            update={**told, "mean_token_logprob": mean, "latency_s": seconds, "new_tokens": tokens}
        )


ONE_LOOK = Looks()


def window_times(times: npt.NDArray[np.float64], views: Sequence[Sequence[View]]) -> list[tuple[float, float]]:
    """Start and end of each window, seconds; a frame is shown until the next one.

    Args:
        times: of the sampled frames of the whole video.
        views: the windows, each with its copies.
    """
    spacing = float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    ends = [*map(float, times[1:]), float(times[-1]) + spacing]
    return [(float(times[copies[0].start]), ends[(copies[0].stop or len(times)) - 1]) for copies in views]


def _distinct(answered: Sequence[tuple[AnswerRow, tuple[float, float]]]) -> str:
    """Each different answer once, in the order of the video, a line each."""
    return "\n".join(dict.fromkeys(row.answer or "" for row, _ in answered))


def _timeline(answered: Sequence[tuple[AnswerRow, tuple[float, float]]]) -> str:
    """One timeline in JSON where the answers are such; else a line for each stretch of windows with the same answer."""
    merged = merge_timelines([(row.answer or "", span) for row, span in answered])
    if merged is not None:
        return merged
    stretches: list[tuple[str, float, float]] = []
    for row, (start, end) in answered:
        text = row.answer or ""
        if stretches and stretches[-1][0] == text:
            stretches[-1] = (text, stretches[-1][1], end)
        else:
            stretches.append((text, start, end))
    return "\n".join(f"{_clock(start)}-{_clock(end)} {text}" for text, start, end in stretches)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
