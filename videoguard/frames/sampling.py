"""Which frames of a clip are taken."""

import numpy as np
import numpy.typing as npt

# Decoders report times as 32-bit floats: a span's middle that falls on a frame's start within this many seconds is its own.
_TIE_S = 1e-4


def uniform_indexes(frame_starts: npt.ArrayLike, duration: float, count: int) -> npt.NDArray[np.int64]:
    """Frames shown at the middles of `count` equal spans of the whole clip, by real time.

    Each frame is taken once: where one is shown at several middles, as in a clip with a frozen picture, the next ones in
    order stand in for the repeats. A clip of fewer frames gives all that it has.

    Args:
        frame_starts: when each frame is first shown, seconds, shape `(frames,)`; any order.
        duration: from the start of the first frame to the end of the last, seconds.
        count: frames wanted, at least 1.

    Returns:
        `(min(count, frames),)` positions in order of presentation, strictly increasing.
    """
    starts = np.sort(np.asarray(frame_starts, dtype=np.float64))
    frames = len(starts)
    if frames <= count:
        return np.arange(frames)
    order = np.arange(count)
    middles = starts[0] + (order + 0.5) * (duration / count)
    shown = np.searchsorted(starts, middles + _TIE_S, side="right") - 1
    later = np.maximum.accumulate(shown - order) + order  # push repeats forward
    within: npt.NDArray[np.int64] = np.minimum(later, frames - count + order)  # and back again at the end of the clip
    return within
