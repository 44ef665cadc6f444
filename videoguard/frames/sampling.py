"""Which frames of a clip are taken.

All rules see the real times at which frames are shown, so that a varying frame rate is no special case, and take no frame
twice. A clip that has no more frames than are wanted gives all of them.
"""

import math

import numpy as np
import numpy.typing as npt

from videoguard.frames.rule import FrameRule

Indexes = npt.NDArray[np.int64]

# Decoders report times as 32-bit floats: a time that falls on a frame's start within this many seconds is its own.
_TIE_S = 1e-4


def sample_indexes(frame_starts: npt.ArrayLike, duration: float, rule: FrameRule) -> Indexes:
    """Frames that the sampling of `rule` takes.

    Args:
        frame_starts: when each frame is first shown, seconds, shape `(frames,)`, at least one; any order.
        duration: from the start of the first frame to the end of the last, seconds.
        rule: `sampling`, `count`, and `fps` or `stride` where the sampling has one.

    Returns:
        At most `count` positions in order of presentation, strictly increasing.
    """
    if rule.sampling == "first_to_last":
        return first_to_last_indexes(frame_starts, rule.count)
    if rule.sampling == "fps":
        assert rule.fps is not None
        return rate_indexes(frame_starts, duration, rule.fps, rule.count)
    if rule.sampling == "stride":
        assert rule.stride is not None
        return strided_indexes(np.size(frame_starts), rule.stride, rule.count)
    return uniform_indexes(frame_starts, duration, rule.count)


def uniform_indexes(frame_starts: npt.ArrayLike, duration: float, count: int) -> Indexes:
    """Frames shown at the middles of `count` equal spans of the whole clip, by real time.

    Where one is shown at several middles, as in a clip with a frozen picture, the next ones in order stand in for the
    repeats.

    Args:
        frame_starts: when each frame is first shown, seconds, shape `(frames,)`; any order.
        duration: from the start of the first frame to the end of the last, seconds.
        count: frames wanted, at least 1.

    Returns:
        `(min(count, frames),)` positions in order of presentation, strictly increasing.
    """
    starts = _sorted(frame_starts)
    if len(starts) <= count:
        return np.arange(len(starts))
    middles = starts[0] + (np.arange(count) + 0.5) * (duration / count)
    return _without_repeats(_shown(starts, middles), len(starts))


def first_to_last_indexes(frame_starts: npt.ArrayLike, count: int) -> Indexes:
    """Frames at `count` equal steps of time from the first frame to the last, both included; one is the first.

    Repeats are made good as by `uniform_indexes`.

    Returns:
        `(min(count, frames),)` positions in order of presentation, strictly increasing.
    """
    starts = _sorted(frame_starts)
    if len(starts) <= count:
        return np.arange(len(starts))
    shown = _shown(starts, np.linspace(starts[0], starts[-1], count))
    shown[0] = 0  # frames closer together than a tie would hide it
    return _without_repeats(shown, len(starts))


def rate_indexes(frame_starts: npt.ArrayLike, duration: float, fps: float, most: int) -> Indexes:
    """Frames shown at each `1 / fps` seconds from the first frame on; `most` uniform ones where that would be more.

    The maximum never cuts off the end of a long clip: it spreads the frames over the whole of it.

    Args:
        frame_starts: when each frame is first shown, seconds, shape `(frames,)`; any order.
        duration: from the start of the first frame to the end of the last, seconds.
        fps: frames per second, above 0.
        most: frames at most, at least 1.

    Returns:
        Positions in order of presentation, strictly increasing; the first is 0 unless `most` is exceeded.
    """
    starts = _sorted(frame_starts)
    wanted = max(1.0, math.ceil((duration - _TIE_S) * fps))
    if wanted > most:
        return uniform_indexes(starts, duration, most)
    shown = _shown(starts, starts[0] + np.arange(int(wanted)) / fps)
    shown[0] = 0
    return np.unique(shown)


def strided_indexes(frames: int, stride: int, count: int) -> Indexes:
    """Each `stride`-th frame from the first on, `count` of them.

    Where the clip is too short for that, the stride shrinks to the largest that still gives `count`.

    Returns:
        `(min(count, frames),)` positions in order of presentation, strictly increasing.
    """
    if frames <= count:
        return np.arange(frames)
    longest = (frames - 1) // (count - 1) if count > 1 else stride
    return np.arange(count) * min(stride, longest)


def _sorted(frame_starts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.sort(np.asarray(frame_starts, dtype=np.float64))


def _shown(starts: npt.NDArray[np.float64], times: npt.NDArray[np.float64]) -> Indexes:
    """The frame on show at each time."""
    shown: Indexes = np.searchsorted(starts, times + _TIE_S, side="right") - 1
    return shown


def _without_repeats(shown: Indexes, frames: int) -> Indexes:
    """Push repeats forward, and back again at the end of the clip."""
    order = np.arange(len(shown))
    later = np.maximum.accumulate(shown - order) + order
    within: Indexes = np.minimum(later, frames - len(shown) + order)
    return within
