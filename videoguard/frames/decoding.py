"""One video file to a few frames, by PyAV; what cannot be decoded is told in words that name the cause."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from videoguard.frames.limits import OverLimitError, require_header_within, require_length_within
from videoguard.frames.resizing import Frame, resize_frame
from videoguard.frames.rule import FrameRule
from videoguard.frames.sampling import sample_indexes

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

_CONTAINER_MARKS = (b"\x1a\x45\xdf\xa3", b"RIFF", b"OggS", b"FLV\x01", b"\x30\x26\xb2\x75")
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
# What a file may be. Not among them is what names other files or addresses, which a decoder would then open: playlists (HLS,
# DASH, ffconcat), session descriptions and patterns of image names.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,ogg,asf,mxf,nut,ivf,rm,dv,wtv,gxf,nsv,"
    "h264,hevc,av1,obu,vvc,m4v,mjpeg,mjpeg_2000,dirac,vc1,yuv4mpegpipe,gif,apng,webp_pipe,webp,swf,film_cpk,amv,roq,smk,bink"
)
# What H.264 and HEVC may keep to predict other frames from (ITU-T H.264, A.3.1, MaxDpbFrames).
_FRAMES_AT_ONCE = 16
_MANY_FRAMES = 3000


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

    The times of all frames are read from the packets first. Then only the groups of pictures that hold wanted frames are
    decoded, each up to the last that is wanted, and without the frames that no other is predicted from.

    Raises:
        DecodeError: the file is missing, empty, not a video, cut off or damaged, it holds no video stream or frame, or it is
            larger than the limits of the rule.
        MemoryError: decoding takes more memory than there is.
    """
    _check_file(path)
    with _open(path) as container:
        stream = _video_stream(container)
        with _limit_errors():
            pixels = require_header_within(container, stream, rule.limits)
        with _decode_errors(pixels):
            times = _even_times(container, stream, path.stat().st_size) or _frame_times(container, stream)
            indexes = _sample(times, rule)
            pictures = _read(container, stream, times, indexes.tolist(), rule)
            if pictures is None and times.supposed:
                times = _frame_times(container, stream)
                indexes = _sample(times, rule)
                pictures = _read(container, stream, times, indexes.tolist(), rule)
    if pictures is None:
        raise DecodeError("the video is damaged: some of its frames cannot be decoded")
    if len({picture.frame.shape for picture in pictures}) > 1:
        raise DecodeError("its frames change their size")
    return DecodedVideo(
        frames=np.stack([picture.frame for picture in pictures]),
        timestamps_s=times.starts[indexes],
        width=pictures[0].width,
        height=pictures[0].height,
        source_fps=times.fps,
        duration_s=times.duration,
        source_frames=len(times.starts),
    )


@contextmanager
def open_video(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """A video file and its video stream; within the block a fault of the file becomes a `DecodeError`.

    Raises:
        DecodeError: the file is missing, empty, not a video or damaged, or holds no video stream.
    """
    _check_file(path)
    with _open(path) as container:
        stream = _video_stream(container)
        with _decode_errors(0):
            yield container, stream


@dataclass(frozen=True)
class _Times:
    starts: npt.NDArray[np.float64]
    """When each frame is shown, seconds from the first, in order of presentation."""
    duration: float
    fps: float
    stamps: list[int] | None
    """The same times as the container counts them; None where it tells none."""
    key_stamps: list[int]
    """Those of the frames that can be decoded without others, sorted."""
    supposed: bool = False
    """Whether the times are concluded from the order of decoding, and not read."""


@dataclass(frozen=True)
class _Picture:
    """A resized frame, and the size that it had upright."""

    frame: Frame
    width: int
    height: int


def _check_file(path: Path) -> None:
    if not path.exists():
        raise DecodeError("the file is missing")
    if not path.is_file():
        raise DecodeError("it is not a file")
    if path.stat().st_size == 0:
        raise DecodeError("the file is empty")


@contextmanager
def _open(path: Path) -> Iterator["InputContainer"]:
    import av

    try:
        container = av.open(str(path), metadata_errors="replace", container_options={"format_whitelist": _FORMATS})
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError):
        raise DecodeError(_why_not_opened(path)) from None
    with container:
        yield container


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


def _video_stream(container: "InputContainer") -> "VideoStream":
    if not container.streams.video:
        raise DecodeError("it has no video stream")
    stream = container.streams.video[0]
    # There is no context where a damaged header names a codec that does not exist.
    if getattr(stream, "codec_context", None) is None:
        raise DecodeError("the video is damaged, or of a codec that is not known")
    # One thread, and the processes share the cores: frames that several threads decode at once cannot be left out.
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return stream


def _sample(times: _Times, rule: FrameRule) -> npt.NDArray[np.int64]:
    with _limit_errors():
        # A header may lie, or say nothing; this is what the file really holds.
        require_length_within(times.duration, len(times.starts), rule.limits)
    return sample_indexes(times.starts, times.duration, rule)


def _even_times(container: "InputContainer", stream: "VideoStream", file_bytes: int) -> _Times | None:
    """Times of a long MP4 from its index, where that is whole and the frames are decoded at an even pace.

    Frames that are decoded at an even pace are shown at the same, from the start of the stream on. To read each packet
    instead takes longer than to decode the few frames that are wanted of a long video.
    """
    if stream.frames < _MANY_FRAMES or not _is_mp4(container) or stream.start_time is None or stream.time_base is None:
        return None
    entries = [(entry.timestamp, entry.pos + entry.size, entry.is_keyframe) for entry in stream.index_entries]
    decoded = np.array([stamp for stamp, _, _ in entries], dtype=np.int64)
    steps = np.unique(np.diff(decoded))
    if len(entries) != stream.frames or len(steps) != 1 or steps[0] <= 0 or max(end for _, end, _ in entries) > file_bytes:
        return None
    step, delay = int(steps[0]), stream.start_time - int(decoded[0])
    starts: npt.NDArray[np.float64] = np.arange(len(entries), dtype=np.float64) * float(step * stream.time_base)
    return _Times(
        starts,
        duration=float(len(entries) * step * stream.time_base),
        fps=float(1 / (step * stream.time_base)),
        stamps=(stream.start_time + step * np.arange(len(entries))).tolist(),
        key_stamps=[stamp + delay for stamp, _, is_key in entries if is_key],
        supposed=True,
    )


def _is_mp4(container: "InputContainer") -> bool:
    """Whether the container tells exactly how many frames it has, as MP4 and QuickTime do (ISO/IEC 14496-12, 8.7.3)."""
    return "mp4" in container.format.name


def _frame_times(container: "InputContainer", stream: "VideoStream") -> _Times:
    """When the frames are shown, from the packets; by the frame rate where a packet tells no time."""
    container.seek(0)
    packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
    if not packets:
        raise DecodeError("it holds no frames")
    if len(packets) < stream.frames and _is_mp4(container):
        raise DecodeError("the video is cut off: it has fewer frames than its header says")
    base = stream.time_base
    ends: dict[int, int] = {packet.pts: packet.pts + (packet.duration or 0) for packet in packets if packet.pts is not None}
    fps = float(stream.average_rate or stream.guessed_rate or 0) or 1.0
    if base is None or len(ends) < len(packets):
        return _Times(np.arange(len(packets)) / fps, len(packets) / fps, fps, None, [])
    stamps = sorted(ends)
    starts = (np.array(stamps, dtype=np.float64) - stamps[0]) * float(base)
    duration = float((max(ends.values()) - stamps[0]) * base)
    return _Times(
        starts,
        duration if duration > starts[-1] else float(starts[-1]) + 1 / fps,
        fps,
        stamps,
        sorted(packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None),
    )


def _read(
    container: "InputContainer", stream: "VideoStream", times: _Times, indexes: Sequence[int], rule: FrameRule
) -> list[_Picture] | None:
    """The frames at `indexes`; None where one of them is not in the file."""
    if times.stamps is None:
        container.seek(0)
        counted = list(_decode_counting(container, stream, indexes, rule))
        return counted if len(counted) == len(indexes) else None
    wanted = [times.stamps[index] for index in indexes]
    found: dict[int, _Picture] = {}
    for key, group in groupby(wanted, lambda stamp: _key_before(times.key_stamps, stamp)):
        container.seek(times.stamps[0] if key is None else key, stream=stream)
        found.update(_decode_until(container, stream, list(group), rule))
    missing = [stamp for stamp in wanted if stamp not in found]
    if missing and not times.supposed:
        # A container without an index, or with a wrong one, leads elsewhere: go through all of it.
        container.seek(times.stamps[0], stream=stream)
        found.update(_decode_until(container, stream, missing, rule, to_the_end=True))
    return [found[stamp] for stamp in wanted] if len(found) == len(wanted) else None


def _key_before(key_stamps: Sequence[int], stamp: int) -> int | None:
    place = bisect_right(key_stamps, stamp)
    return key_stamps[place - 1] if place else None


def _decode_until(
    container: "InputContainer", stream: "VideoStream", stamps: Sequence[int], rule: FrameRule, to_the_end: bool = False
) -> dict[int, _Picture]:
    """Decode from where the container is to the last of `stamps`, and on only where `to_the_end` says so."""
    missing, found, last = set(stamps), {}, max(stamps)
    for packet in container.demux(stream):
        # Frames that nothing is predicted from, and nobody wants, are not decoded; the others come out the same.
        stream.codec_context.skip_frame = "DEFAULT" if packet.pts in missing else "NONREF"
        for frame in packet.decode():
            if frame.pts in missing:
                missing.remove(frame.pts)
                found[frame.pts] = _upright(frame, rule)
            elif not to_the_end and frame.pts is not None and frame.pts > last:
                return found
        if not missing:
            break
    return found


def _decode_counting(
    container: "InputContainer", stream: "VideoStream", indexes: Sequence[int], rule: FrameRule
) -> Iterator[_Picture]:
    """Decode from the start and count."""
    wanted, last = set(indexes), indexes[-1]
    for index, frame in enumerate(container.decode(stream)):
        if index in wanted:
            yield _upright(frame, rule)
        if index == last:
            return


def _upright(frame: "VideoFrame", rule: FrameRule) -> _Picture:
    """A decoded frame as the file wants it turned, resized."""
    if frame.is_corrupt:
        raise DecodeError("the video is damaged: some of its frames cannot be decoded")
    pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    height, width = pixels.shape[:2]
    return _Picture(resize_frame(np.ascontiguousarray(pixels), rule), width, height)


@contextmanager
def _limit_errors() -> Iterator[None]:
    try:
        yield
    except OverLimitError as over:
        raise DecodeError(str(over)) from None


@contextmanager
def _decode_errors(pixels: int) -> Iterator[None]:
    import av

    try:
        yield
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError, OverflowError) as error:
        _require_room(pixels)
        raise DecodeError(_reason(error)) from None


def _require_room(pixels: int) -> None:
    """Raise `MemoryError` where a decoder would not get the memory that it needs: some report that as a damaged stream."""
    np.empty((_FRAMES_AT_ONCE, pixels, 3), np.uint8)


def _reason(error: Exception) -> str:
    """The cause in the words of a user, from FFmpeg's."""
    import av

    if isinstance(error, av.EOFError):
        return "the video is cut off or damaged: its last frames cannot be decoded"
    if isinstance(error, av.InvalidDataError):
        return "the video is damaged: its stream cannot be decoded"
    words = error.strerror if isinstance(error, av.FFmpegError) else str(error)
    return f"the video is damaged: {words}"
