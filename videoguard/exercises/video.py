"""Frames to an H.264 file."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av.video.stream import VideoStream


def write_video(path: Path, frames: npt.NDArray[np.uint8], fps: int) -> None:
    """Encode `(frames, height, width, 3) uint8 RGB`, both sides even, as H.264 in 4:2:0.

    Equal frames give equal bytes: one encoder thread, so that nothing depends on how many cores there are. The fastest
    preset halves the time of encoding and decoding; its larger files do not matter at a few seconds of length.
    """
    import av

    _, height, width, _ = frames.shape
    with av.open(str(path), "w") as container:
        stream: VideoStream = container.add_stream(
            "libx264", rate=fps, options={"crf": "20", "preset": "ultrafast", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_type = "NONE"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
