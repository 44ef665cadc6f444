"""Sources that are refused before any of them is decoded, by what their headers claim."""

from pathlib import Path

from videoguard.frames.rule import SourceLimits


class OverLimitError(Exception):
    """A source is larger than the limits allow; its message names the value, the limit and the setting."""


def require_header_within(path: Path, limits: SourceLimits) -> int:
    """Refuse a file whose header claims more than `limits`; return the pixels of a frame.

    A header that cannot be read, or says nothing, has 0 pixels and passes: the decoder says why.

    The header is read by PyAV: decord tells a frame's size only once it has decoded one, and reads the whole file for its
    index before.

    Raises:
        OverLimitError: width, height, area, duration or number of frames is above its limit.
    """
    import av

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.video:
                return 0
            stream = container.streams.video[0]
            # There is no context where a damaged header names a codec that does not exist.
            codec: av.VideoCodecContext | None = stream.codec_context
            if codec is None:
                return 0
            width, height, frames = codec.width, codec.height, stream.frames
            lengths = [float(stream.duration * stream.time_base)] if stream.duration and stream.time_base else []
            if container.duration:
                lengths.append(container.duration / av.time_base)
    except (av.FFmpegError, OSError, ValueError):
        return 0
    require_size_within(width, height, limits)
    require_length_within(max(lengths, default=0.0), frames, limits)
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
