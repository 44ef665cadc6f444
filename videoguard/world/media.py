"""Pictures and videos in, clips out."""

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from videoguard.frames.decoding import DecodeError, open_video

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream

Frames = npt.NDArray[np.uint8]
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_TAIL_SECONDS = 2


def read_condition(path: Path, count: int, width: int, height: int) -> Frames:
    """The last `count` frames of a video, or a picture, as `(count, height, width, 3) uint8 RGB`.

    The pipeline takes every frame that it is given for a condition, and stretches them. So they are cut to `count` here,
    scaled until both sides are reached, and what is over is cut off on either side alike.

    Raises:
        DecodeError: the file cannot be read, or has fewer frames.
    """
    if path.suffix.lower() in PICTURES:
        if count != 1:
            raise DecodeError(f"a picture is one frame, and condition_frames is {count}: give a video, or take 1")
        frames = [_read_picture(path)]
    else:
        frames = _last_frames(path, count)
    if len(frames) < count:
        raise DecodeError(f"it has {len(frames)} frames, and condition_frames is {count}: give a longer video, or take 1")
    return np.stack([_cover(frame, width, height) for frame in frames])


def read_first_frames(path: Path, count: int, width: int, height: int) -> Frames:
    """The first `count` frames of a video, covered as `read_condition` does.

    Raises:
        DecodeError: the file cannot be read, or has fewer frames.
    """
    frames: list[Frames] = []
    with open_video(path) as (container, stream):
        for frame in container.decode(stream):
            frames.append(_upright(frame))
            if len(frames) == count:
                return np.stack([_cover(each, width, height) for each in frames])
    raise DecodeError(f"it has {len(frames)} frames, and generation.frames is {count}: give a longer video")


def read_clip(path: Path) -> Frames:
    """All frames of a generated clip."""
    with open_video(path) as (container, stream):
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])


def write_clip(path: Path, frames: Frames, fps: int) -> None:
    """Encode `(frames, height, width, 3) uint8 RGB` as H.264 in 4:2:0; equal frames give equal bytes.

    One encoder thread, so that nothing depends on how many cores there are. CRF 14 is hard to tell from the frames.
    """
    import av

    _, height, width, _ = frames.shape
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream: VideoStream = container.add_stream("libx264", rate=fps, options={"crf": "14", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_type = "NONE"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def _last_frames(path: Path, count: int) -> list[Frames]:
    with open_video(path) as (container, stream):
        last: deque[Frames] = deque(maxlen=count)
        if stream.duration is not None and stream.time_base is not None:
            # From the key frame before the end: a long video is not decoded whole.
            end = (stream.start_time or 0) + stream.duration
            container.seek(max(stream.start_time or 0, end - int(_TAIL_SECONDS / stream.time_base)), stream=stream)
            last.extend(_upright(frame) for frame in container.decode(stream))
        if len(last) < count:
            container.seek(0)
            last.clear()
            last.extend(_upright(frame) for frame in container.decode(stream))
        if not last:
            raise DecodeError("it holds no frames")
        return list(last)


def _read_picture(path: Path) -> Frames:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except FileNotFoundError:
        raise DecodeError("the file is missing") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as fault:
        raise DecodeError(f"the picture cannot be read: {fault}") from None


def _upright(frame: "VideoFrame") -> Frames:
    pixels: Frames = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)), np.uint8)
    return pixels


def _cover(frame: Frames, width: int, height: int) -> Frames:
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(Image.fromarray(frame), (width, height), method=Image.Resampling.BICUBIC, centering=(0.5, 0.5))
    return np.asarray(fitted)
