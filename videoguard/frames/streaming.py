"""Frames at an even rate, in order, as a stream shows them: what the streaming guard sees of a video."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from videoguard.frames.decoding import DecodeError, open_video
from videoguard.frames.limits import OverLimitError, require_header_within, require_length_within
from videoguard.frames.resizing import Frame, resize_frame
from videoguard.frames.rule import FrameRule
from videoguard.frames.workers import EncodedVideo, encode_frame

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

_TIE_S = 1e-4


def read_at_rate(path: Path, rule: FrameRule) -> EncodedVideo:
    """All frames of a video at `rule.fps` a second, as the rule stores them; a frozen picture comes again and again.

    Raises:
        DecodeError: it cannot be decoded, is larger than the limits of the rule, or has more than `rule.count` such frames.
    """
    assert rule.fps is not None
    with open_video(path) as (container, stream):
        try:
            require_header_within(container, stream, rule.limits)
            frames: list[bytes] = []
            times: list[float] = []
            height = width = source_height = source_width = 0
            for time, frame in frames_at_rate(container, rule.fps):
                require_length_within(time, len(frames), rule.limits)
                if len(frames) == rule.count:
                    raise DecodeError(f"it has more than {rule.count} frames at {rule.fps:g} a second")
                stored = resize_frame(frame, rule)
                (source_height, source_width), (height, width) = frame.shape[:2], stored.shape[:2]
                frames.append(encode_frame(stored, rule))
                times.append(time)
        except OverLimitError as over:
            raise DecodeError(str(over)) from None
        if not frames:
            raise DecodeError("it holds no frames")
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        return EncodedVideo(
            frames=frames,
            timestamps_s=times,
            width=width,
            height=height,
            source_width=source_width,
            source_height=source_height,
            source_fps=fps,
            duration_s=times[-1] + 1 / rule.fps,
            source_frames=stream.frames,
        )


def frames_at_rate(container: "InputContainer", fps: float) -> Iterator[tuple[float, Frame]]:
    """The frame that is on show at each `1 / fps` seconds from the first on, as long as the stream is."""
    stream = container.streams.video[0]
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    wanted = 0
    first: float | None = None
    shown: VideoFrame | None = None
    start = 0.0
    for count, frame in enumerate(container.decode(stream)):
        told = frame.time
        first = told if first is None else first
        start = count / rate if told is None or first is None else told - first
        while shown is not None and wanted / fps < start - _TIE_S:
            yield wanted / fps, _upright(shown)
            wanted += 1
        shown = frame
    while shown is not None and wanted / fps < start + 1 / rate - _TIE_S:
        yield wanted / fps, _upright(shown)
        wanted += 1


def _upright(frame: "VideoFrame") -> Frame:
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
