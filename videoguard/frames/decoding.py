"""One video file to a few frames, by decord; what cannot be decoded is told in words that name the cause."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from videoguard.frames.limits import OverLimitError, require_header_within, require_length_within
from videoguard.frames.resizing import resize_frame
from videoguard.frames.rule import FrameRule
from videoguard.frames.sampling import sample_indexes

# At the end of a file decord polls its decoding thread this often before it gives up. A low limit fails sound files when
# the machine is busy; a broken file that keeps it polling is ended by the time limit of the decoding process.
os.environ.setdefault("DECORD_EOF_RETRY_MAX", "20480")

# Any recovered frame at all is an error: decord puts a copy of its neighbour in place of one that it cannot decode.
_FAULT_TOLERANCE = 1e-9
_LONGEST_S = 1e7
# What H.264 and HEVC may keep to predict other frames from (ITU-T H.264, A.3.1, MaxDpbFrames).
_FRAMES_AT_ONCE = 16
_CONTAINER_MARKS = (b"\x1a\x45\xdf\xa3", b"RIFF", b"OggS", b"FLV\x01", b"\x30\x26\xb2\x75")
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


class DecodeError(Exception):
    """A video could not be decoded; `reason` says why, without the file's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class DecodedVideo:
    """Frames of a video, and what its file holds."""

    frames: npt.NDArray[np.uint8]
    """`(frames, height, width, 3) uint8 RGB`, in the size that the rule stores."""
    timestamps_s: npt.NDArray[np.float64]
    """When each frame is shown, seconds from the first frame of the file."""
    width: int
    """Of the source, pixels, after its rotation."""
    height: int
    source_fps: float
    """Average frame rate of the source, per second."""
    duration_s: float
    source_frames: int


def decode_video(path: Path, rule: FrameRule) -> DecodedVideo:
    """Take the frames that `rule` samples, upright, in the size that it stores; the codec is not used here.

    Only the groups of pictures that hold such frames are decoded, but for a file without times of its own.

    Raises:
        DecodeError: the file is missing, empty, not a video, cut off or damaged, it holds no video stream or frame, or it is
            larger than the limits of the rule.
        MemoryError: decoding takes more memory than there is.
    """
    _check_file(path)
    with _limit_errors():
        pixels = require_header_within(path, rule.limits)
    reader = _open(path)
    times = _frame_times(reader)
    with _limit_errors():
        # A header may lie, or say nothing; this is what the file really holds.
        require_length_within(times.duration, len(times.starts), rule.limits)
    indexes = sample_indexes(times.starts, times.duration, rule)
    try:
        width, height, frames = _read(reader, indexes, times.reported, rule)
    except DecodeError:
        _require_room(pixels)
        raise
    return DecodedVideo(
        frames=frames,
        timestamps_s=times.starts[indexes],
        width=width,
        height=height,
        source_fps=times.fps,
        duration_s=times.duration,
        source_frames=len(times.starts),
    )


class _Image(Protocol):
    """A frame in decord's memory."""

    def asnumpy(self) -> npt.NDArray[np.uint8]: ...


class _Reader(Protocol):
    """What is used of `decord.VideoReader`, which has no types."""

    def __len__(self) -> int: ...
    def get_avg_fps(self) -> float: ...
    def get_frame_timestamp(self, idx: Sequence[int]) -> npt.NDArray[np.float32]: ...
    def __getitem__(self, idx: int) -> _Image: ...
    def next(self) -> _Image: ...


@dataclass(frozen=True)
class _Times:
    starts: npt.NDArray[np.float64]
    duration: float
    fps: float
    reported: bool
    """Whether the file tells the times; else they follow from the frame rate."""


def _check_file(path: Path) -> None:
    if not path.exists():
        raise DecodeError("the file is missing")
    if not path.is_file():
        raise DecodeError("it is not a file")
    if path.stat().st_size == 0:
        raise DecodeError("the file is empty")


def _open(path: Path) -> _Reader:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader: _Reader = decord.VideoReader(str(path), num_threads=1, fault_tol=_FAULT_TOLERANCE)
    except RuntimeError:
        raise DecodeError(_why_not_opened(path)) from None
    except AssertionError:
        raise DecodeError("it holds no frames") from None
    except decord.DECORDError as error:
        raise DecodeError(_reason(error)) from None
    return reader


def _why_not_opened(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    if head[4:8] in _MP4_BOXES:
        return "the file is cut off or damaged: its index (the moov box) is missing"
    if head.startswith(_CONTAINER_MARKS):
        return "the file is damaged: its container cannot be read"
    return "it is not a video file"


def _frame_times(reader: _Reader) -> _Times:
    """When the frames are shown; by the frame rate where the container holds no times of its own, as AVI does not."""
    frames = len(reader)
    if frames == 0:
        raise DecodeError("it holds no frames")
    with _decord_errors():
        spans = np.asarray(reader.get_frame_timestamp(range(frames)), dtype=np.float64)
        rate = float(reader.get_avg_fps())
    fps = rate if np.isfinite(rate) and rate > 0 else 1.0
    starts = spans[:, 0] - spans[0, 0]
    if not np.isfinite(spans).all() or np.abs(spans).max() > _LONGEST_S or (np.diff(starts) <= 0).any():
        return _Times(np.arange(frames) / fps, frames / fps, fps, reported=False)
    end = float(spans[:, 1].max() - spans[0, 0])
    duration = end if end > starts[-1] else float(starts[-1]) + 1 / fps
    return _Times(starts, duration, fps, reported=True)


def _read(
    reader: _Reader, indexes: npt.NDArray[np.int64], seekable: bool, rule: FrameRule
) -> tuple[int, int, npt.NDArray[np.uint8]]:
    """Width and height of the source, and its frames at `indexes`, resized."""
    resized = []
    height = width = 0
    with _decord_errors():
        for frame in _read_by_seeking(reader, indexes) if seekable else _read_in_order(reader, indexes):
            height, width = frame.shape[:2]
            resized.append(resize_frame(frame, rule))
    if len({frame.shape for frame in resized}) > 1:
        raise DecodeError("its frames change their size")
    return width, height, np.stack(resized)


def _require_room(pixels: int) -> None:
    """Raise `MemoryError` where a decoder would not get the memory that it needs: it reports that as a damaged stream."""
    np.empty((_FRAMES_AT_ONCE, pixels, 3), np.uint8)


def _read_by_seeking(reader: _Reader, indexes: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.uint8]]:
    for index in indexes.tolist():
        yield _unpadded(reader[index].asnumpy())


def _read_in_order(reader: _Reader, indexes: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.uint8]]:
    """Decode every frame: in a file without times decord seeks to wrong ones, and only its end tells that it is cut off."""
    wanted = set(indexes.tolist())
    for index in range(len(reader)):
        frame = reader.next()
        if index in wanted:
            yield _unpadded(frame.asnumpy())


def _unpadded(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A frame without the padding of its rows, which decord takes for more channels at widths of 16, 24, 48 and 72."""
    height, width, channels = frame.shape
    return frame if channels == 3 else frame.reshape(height, -1)[:, : width * 3].reshape(height, width, 3)


@contextmanager
def _limit_errors() -> Iterator[None]:
    try:
        yield
    except OverLimitError as over:
        raise DecodeError(str(over)) from None


@contextmanager
def _decord_errors() -> Iterator[None]:
    import decord

    try:
        yield
    except StopIteration:
        raise DecodeError("the video is cut off: it has fewer frames than its header says") from None
    except UnicodeDecodeError:
        # decord quotes what it found in the file.
        raise DecodeError("the file is damaged: its streams cannot be read") from None
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, IndexError) as error:
        raise DecodeError(_reason(error)) from None


def _reason(error: Exception) -> str:
    """The cause in the words of a user, from decord's message: its first line, without time, C++ file and file name."""
    first_line = str(error).strip().partition("\n")[0]
    if "cannot find video stream" in first_line:
        return "it has no video stream"
    if "stream info" in first_line or "broken metadata" in first_line:
        return "the file is damaged: its streams cannot be read"
    detail = re.sub(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ?|\[/[^\]]*\]", "", first_line).strip().rstrip(".")
    if "avcodec_" in detail or "av_read_frame" in detail or "run_.load()" in detail:
        return "the video is damaged: its stream cannot be decoded"
    if "EOF" in detail:
        return "the video is cut off or damaged: its last frames cannot be decoded"
    if "filter_graph_" in detail:
        return "the video is damaged: its frames cannot be converted"
    if "recovered" in detail.lower():
        return "the video is damaged: some of its frames cannot be decoded"
    return f"the video cannot be decoded: {detail}"
