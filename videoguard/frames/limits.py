"""Sources that are refused before any of them is decoded, by what their headers claim."""

from typing import TYPE_CHECKING

from videoguard.frames.rule import SourceLimits

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer

_CONTAINER_TICKS = 1_000_000
"""A container counts its length in parts of a second (AV_TIME_BASE)."""


class OverLimitError(Exception):
    """A source is larger than the limits allow; its message names the value, the limit and the setting."""


def require_header_within(container: "InputContainer", stream: "VideoStream", limits: SourceLimits) -> int:
    """Refuse a file whose header claims more than `limits`; return the pixels of a frame, 0 where it tells none.

    Raises:
        OverLimitError: width, height, area, duration or number of frames is above its limit.
    """
    width, height = stream.codec_context.width, stream.codec_context.height
    lengths = [float(stream.duration * stream.time_base)] if stream.duration and stream.time_base else []
    if container.duration:
        lengths.append(container.duration / _CONTAINER_TICKS)
    require_size_within(width, height, limits)
    require_length_within(max(lengths, default=0.0), stream.frames, limits)
    return width * height


def require_size_within(width: int, height: int, limits: SourceLimits) -> None:
    """Raise `OverLimitError` where a frame of `width` by `height` pixels is too large."""
    if max(width, height) > limits.longest_side:
        raise OverLimitError(
            f"its frames are {width:,} × {height:,} pixels: frames.limits.longest_side is {limits.longest_side:,}"
        )
    if width * height > limits.pixels:
        raise OverLimitError(f"its frames are {width:,} × {height:,} pixels: frames.limits.pixels is {limits.pixels:,}")


def require_length_within(duration_s: float, frames: int, limits: SourceLimits) -> None:
    """Raise `OverLimitError` where a video of so many seconds and frames is too long."""
    if duration_s > limits.duration_s:
        raise OverLimitError(f"it lasts {duration_s:,.1f} s: frames.limits.duration_s is {limits.duration_s:,.1f}")
    if frames > limits.frames:
        raise OverLimitError(f"it has {frames:,} frames: frames.limits.frames is {limits.frames:,}")
