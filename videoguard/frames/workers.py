"""What a decoding process does: one video file in, its encoded frames out.

Imports no more than decord, NumPy and PIL, so that a process starts fast.
"""

import io
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pebble import ProcessPool
from PIL import Image

from videoguard.frames.decoding import decode_video

Codec = Literal["jpeg", "png"]


@dataclass(frozen=True)
class FrameRule:
    """How a video becomes stored frames."""

    count: int
    max_side: int
    """Longest side, pixels."""
    codec: Codec
    jpeg_quality: int


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
        DecodeError: it cannot be decoded.
    """
    video = decode_video(path, rule.count, rule.max_side)
    _, height, width, _ = video.frames.shape
    return EncodedVideo(
        frames=[_encode(frame, rule) for frame in video.frames],
        timestamps_s=video.timestamps_s.tolist(),
        width=width,
        height=height,
        source_width=video.width,
        source_height=video.height,
        source_fps=video.source_fps,
        duration_s=video.duration_s,
        source_frames=video.source_frames,
    )


@dataclass(frozen=True)
class DecodingPool:
    """Processes that decode; one that crashes or takes too long is replaced by a new one."""

    processes: ProcessPool
    workers: int


@contextmanager
def decoding_pool(workers: int) -> Iterator[DecodingPool]:
    """A pool of decoding processes, which end with the block.

    They are spawned, not forked: the caller may have threads and hold a model.
    """
    processes = ProcessPool(max_workers=workers, context=multiprocessing.get_context("spawn"), initializer=_silence)
    try:
        yield DecodingPool(processes, workers)
    finally:
        processes.stop()  # type: ignore[no-untyped-call]  # pebble leaves it without types
        processes.join()


def _encode(frame: npt.NDArray[np.uint8], rule: FrameRule) -> bytes:
    image, file = Image.fromarray(frame), io.BytesIO()
    if rule.codec == "png":
        image.save(file, "PNG", compress_level=3)
    else:
        # Full colour resolution: a scaled-down frame has it, and thin coloured edges lose by halving it.
        image.save(file, "JPEG", quality=rule.jpeg_quality, subsampling=0)
    return file.getvalue()


def _silence() -> None:
    """Close standard error: the C libraries write their own words there, and the reason of a failure comes back by name."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
