"""Scores of one video, from its stored frames alone.

Brightness, sharpness and motion are those of the cleaning tools of QVED (EdgeVLM-Labs): grey levels as OpenCV makes them,
the same kernels, the same thresholds of change. Their frames have the size of the source, ours that of the store.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Luma = npt.NDArray[np.uint8]
"""Grey frames, `(frames, height, width) uint8`."""

# What OpenCV's GaussianBlur takes for 5 × 5 pixels: the outer product of 1 4 6 4 1, over 256.
_BINOMIAL = (1, 4, 6, 4, 1)
_SMOOTH = ImageFilter.Kernel((5, 5), [row * column for row in _BINOMIAL for column in _BINOMIAL], scale=256)
_CHANGED_LEVELS = 18
"""A pixel has changed where it differs by more grey levels than this."""
_CHANGED_SHARE = 0.01
"""Two frames differ visibly where at least this share of their pixels has changed."""
# As FFmpeg's blackdetect by default: a picture is black where 98 % of its pixels are, a pixel up to 10 % of the range.
# https://ffmpeg.org/ffmpeg-filters.html#blackdetect
_BLACK_LEVEL = 25
_BLACK_SHARE = 0.98
# The measure of FFmpeg's freezedetect, the mean difference. Its -60 dB are a quarter of a level, and an encoder refines a
# picture that stands still by more than that; a held pose before a camera on a tripod differs by two levels.
_FROZEN_LEVELS = 1.0


@dataclass(frozen=True)
class FrameScores:
    """What the stored frames of a video tell. A video of one frame has no motion to tell: it is unscored, not still."""

    brightness: float
    """Mean grey level, 0 to 255."""
    sharpness: float
    """Variance of the Laplacian (Pech-Pacheco et al. 2000, https://doi.org/10.1109/ICPR.2000.903548), mean over frames."""
    motion: float | None
    """Share of neighbouring frames that differ visibly."""
    change: float | None
    """Share of the pixels that change from a frame to the next, mean over neighbours."""
    black: float
    """Share of black frames."""
    frozen: float | None
    """Share of neighbouring frames that are the same picture."""


def decode_luma(images: Sequence[bytes]) -> Luma:
    """Stored frames as grey pictures by ITU-R BT.601."""
    return np.stack([np.asarray(Image.open(io.BytesIO(image)).convert("L")) for image in images])


def score_frames(luma: Luma) -> FrameScores:
    """Scores of one video's grey frames, in their order."""
    changes = _changes(luma)
    differences = [float(np.abs(later.astype(np.int16) - frame).mean()) for frame, later in pairwise(luma)]
    return FrameScores(
        brightness=float(luma.mean()),
        sharpness=float(np.mean([laplacian_variance(frame) for frame in luma])),
        motion=_mean([change >= _CHANGED_SHARE for change in changes]),
        change=_mean(changes),
        black=float(np.mean([(frame <= _BLACK_LEVEL).mean() >= _BLACK_SHARE for frame in luma])),
        frozen=_mean([difference <= _FROZEN_LEVELS for difference in differences]),
    )


def laplacian_variance(frame: Luma) -> float:
    """Variance of the Laplacian of a grey frame `(height, width)`, mirrored at its borders as OpenCV does."""
    padded = np.pad(frame.astype(np.int16), 1, mode="reflect" if min(frame.shape) > 1 else "edge")
    across = padded[1:-1, :-2] + padded[1:-1, 2:]
    down = padded[:-2, 1:-1] + padded[2:, 1:-1]
    laplacian: npt.NDArray[np.int16] = across + down - 4 * padded[1:-1, 1:-1]
    return float(laplacian.var(dtype=np.float64))


def _changes(luma: Luma) -> list[float]:
    """Share of changed pixels between neighbouring frames, after noise is smoothed away."""
    smooth = [np.asarray(Image.fromarray(frame).filter(_SMOOTH), dtype=np.int16) for frame in luma]
    return [float((np.abs(later - frame) > _CHANGED_LEVELS).mean()) for frame, later in pairwise(smooth)]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
