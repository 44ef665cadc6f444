"""`FrameRule`: which frames of a video are stored, in which size and form, and which sources are refused."""

from dataclasses import dataclass
from typing import Literal

Sampling = Literal["uniform", "first_to_last", "fps", "stride"]
Resize = Literal["fit", "pixels", "cover", "exact"]
Codec = Literal["jpeg", "png"]

MEMORY_MB = 2048
"""Memory that decoding one video may take unless it is told otherwise, MiB: an 8K frame with its references takes half."""


@dataclass(frozen=True)
class SourceLimits:
    """The largest source that is decoded: what its header claims beyond that is refused unseen."""

    longest_side: int = 8192
    """Pixels."""
    pixels: int = 36_000_000
    """Width times height; 8K (7680 × 4320) is 33,177,600."""
    duration_s: float = 14_400.0
    frames: int = 1_000_000


@dataclass(frozen=True)
class FrameRule:
    """How a video becomes stored frames. The fields mean what those of the same names in `config.FramesSection` mean."""

    count: int
    max_side: int
    codec: Codec
    jpeg_quality: int
    sampling: Sampling = "uniform"
    fps: float | None = None
    stride: int | None = None
    resize: Resize = "fit"
    width: int | None = None
    height: int | None = None
    max_pixels: int | None = None
    limits: SourceLimits = SourceLimits()
