"""What a decoding process does: one video file in, its encoded frames out.

Imports no more than PyAV, NumPy and PIL, so that a process starts fast.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from videoguard.frames.decoding import DecodedVideo, DecodeError, decode_video
from videoguard.frames.rule import FrameRule

OUT_OF_MEMORY = "it takes more memory to decode than there is, or than frames.memory_mb allows"


@dataclass(frozen=True)
class EncodedVideo:
    """Stored frames of one video, and what its file holds."""

    frames: list[bytes]
    timestamps_s: list[float]
    width: int
    """Of a stored frame, pixels."""
    height: int
    source_width: int
    source_height: int
    source_fps: float
    duration_s: float
    source_frames: int


def read_video(path: Path, rule: FrameRule) -> EncodedVideo:
    """Decode one video and encode the frames that the rule takes of it.

    Raises:
        DecodeError: it cannot be decoded, or not in the memory that there is.
    """
    try:
        return _encode_video(decode_video(path, rule), rule)
    except MemoryError:
        raise DecodeError(OUT_OF_MEMORY) from None


def _encode_video(video: DecodedVideo, rule: FrameRule) -> EncodedVideo:
    _, height, width, _ = video.frames.shape
    return EncodedVideo(
        frames=[encode_frame(frame, rule) for frame in video.frames],
        timestamps_s=video.timestamps_s.tolist(),
        width=width,
        height=height,
        source_width=video.width,
        source_height=video.height,
        source_fps=video.source_fps,
        duration_s=video.duration_s,
        source_frames=video.source_frames,
    )


def encode_frame(frame: npt.NDArray[np.uint8], rule: FrameRule) -> bytes:
    """A frame `(height, width, 3) uint8 RGB` as the file that is stored."""
    image, file = Image.fromarray(frame), io.BytesIO()
    if rule.codec == "png":
        image.save(file, "PNG", compress_level=3)
    else:
        # Full colour resolution: a scaled-down frame has it, and thin coloured edges lose by halving it.
        image.save(file, "JPEG", quality=rule.jpeg_quality, subsampling=0)
    return file.getvalue()
