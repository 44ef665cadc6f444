"""Frames as they come: of a video file, of a folder that grows, or of a camera's address.

Frames are taken at an even rate by the times at which they are shown, as `frames.sampling: fps` takes them of a file, and go
through the size and codec that the training stored them in.
"""

import contextlib
import queue
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from videoguard.errors import UserError
from videoguard.frames.decoding import DecodeError, open_video
from videoguard.frames.resizing import Frame, resize_frame
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import decode_frames
from videoguard.frames.streaming import frames_at_rate
from videoguard.frames.workers import encode_frame
from videoguard.models.media import Pictures

if TYPE_CHECKING:
    from av.container import InputContainer

TimedPicture = tuple[float, Pictures]
"""Seconds from the beginning of the stream, and `(1, height, width, 3)` uint8 RGB."""

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
VIDEOS = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".ts", ".m4v"})
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LIVE = ("rtsp", "rtmp", "rtp", "udp", "srt")
_LOOK_S = 0.2
# A file that has not changed for so long is taken as written.
_SETTLED_S = 1.0
_WAITING = 16


@dataclass
class Source:
    """Where frames come from."""

    target: str
    """A file, a folder or an address."""
    rule: FrameRule
    """Size and codec of a frame."""
    fps: float = 1.0
    """Frames taken a second."""
    wait: float = 5.0
    """Seconds without anything new after which a folder, or a camera, has ended."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, and where the stream broke off."""
    dropped: int = 0
    """Frames of a camera that were left out since the guard was behind."""

    @property
    def is_address(self) -> bool:
        """Whether the target is no path."""
        return _ADDRESS.match(self.target) is not None

    def check(self) -> None:
        """Raise `UserError` where a path leads nowhere."""
        if not self.is_address and not Path(self.target).exists():
            raise UserError(
                f"{self.target} is not there: give a video file, a folder of frames, or an address such as rtsp://…"
            )

    def frames(self) -> Iterator[TimedPicture]:
        """The frames in order, each as soon as it is there.

        Raises:
            UserError: nothing can be read from the beginning.
        """
        self.check()
        if self.is_address:
            return self._of_address()
        path = Path(self.target)
        return self._of_folder(path) if path.is_dir() else self._of_file(path)

    def _of_file(self, path: Path) -> Iterator[TimedPicture]:
        seen = False
        try:
            for shown, frame in _read_video(path, self.fps):
                seen = True
                yield shown, self._stored(frame)
        except DecodeError as reason:
            if not seen:
                raise UserError(f"{path}: {reason}") from None
            self.problems.append(f"{path}: {reason}")
            return
        if not seen:
            raise UserError(f"{path}: it holds no frames")

    def _of_folder(self, folder: Path) -> Iterator[TimedPicture]:
        """Images are a frame each, at the rate; videos follow each other. The order is that of the names as they appear."""
        taken: set[Path] = set()
        shown, quiet_since = 0.0, time.monotonic()
        while time.monotonic() - quiet_since < self.wait:
            found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES | VIDEOS and path not in taken)
            ready = [path for path in found if _is_settled(path)]
            for path in ready:
                taken.add(path)
                begins = shown
                for offset, picture in self._read(path):
                    yield begins + offset, picture
                    shown = begins + offset + 1 / self.fps
            if ready:
                quiet_since = time.monotonic()
            else:
                time.sleep(_LOOK_S)
        if not taken:
            raise UserError(
                f"{folder} has no frames: no image ({', '.join(sorted(IMAGES))}) or video came into it in {self.wait:g} s"
            )

    def _read(self, path: Path) -> Iterator[TimedPicture]:
        """The frames of one file of a folder; one that cannot be read is listed."""
        try:
            if path.suffix.lower() in VIDEOS:
                for offset, frame in _read_video(path, self.fps):
                    yield offset, self._stored(frame)
            else:
                with Image.open(path) as image:
                    yield 0.0, self._stored(np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
        except (DecodeError, OSError) as reason:
            self.problems.append(f"{path}: {reason}")

    def _of_address(self) -> Iterator[TimedPicture]:
        """Frames from a thread of its own, so that a camera is read while the guard decides."""
        import av

        is_live = self.target.lower().startswith(_LIVE)
        options = {"rtsp_transport": "tcp"} if self.target.lower().startswith("rtsp") else {}
        try:
            container = av.open(self.target, timeout=(self.wait, self.wait), options=options)
        except (av.FFmpegError, OSError, ValueError) as fault:
            raise UserError(f"{self.target} cannot be opened: {fault}") from None
        with container:
            if not container.streams.video:
                raise UserError(f"{self.target} has no video stream")
            reader = _Reader(container, self.fps, keep_all=not is_live)
            try:
                for shown, frame in reader:
                    self.dropped = reader.dropped
                    yield shown, self._stored(frame)
            finally:
                reader.close()
                self.dropped = reader.dropped
            if reader.fault is not None:
                self.problems.append(f"{self.target}: the stream broke off: {reader.fault}")

    def _stored(self, frame: Frame) -> Pictures:
        """A frame as the training saw its like: `(1, height, width, 3)`."""
        return decode_frames([encode_frame(resize_frame(frame, self.rule), self.rule)])


class _Reader:
    """Reads a container in a thread; where the one who takes is behind, it waits, or drops the oldest."""

    def __init__(self, container: "InputContainer", fps: float, *, keep_all: bool) -> None:
        self.dropped = 0
        self.fault: str | None = None
        self._frames: queue.Queue[tuple[float, Frame] | None] = queue.Queue(_WAITING)
        self._keep_all = keep_all
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(container, fps), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        while (item := self._frames.get()) is not None:
            yield item

    def close(self) -> None:
        """End the thread; the container may be closed then."""
        self._closing.set()
        self._thread.join()

    def _run(self, container: "InputContainer", fps: float) -> None:
        import av

        try:
            for item in frames_at_rate(container, fps):
                if not self._put(item):
                    return
        except (av.FFmpegError, OSError, ValueError) as fault:
            self.fault = str(fault)
        finally:
            self._put(None)

    def _put(self, item: tuple[float, Frame] | None) -> bool:
        """Hand on; False where nobody takes any more."""
        while not self._closing.is_set():
            try:
                self._frames.put(item, timeout=_LOOK_S)
            except queue.Full:
                if not self._keep_all and item is not None:
                    # Unless it was taken in between.
                    with contextlib.suppress(queue.Empty):
                        self._frames.get_nowait()
                        self.dropped += 1
            else:
                return True
        return False


def _read_video(path: Path, fps: float) -> Iterator[tuple[float, Frame]]:
    with open_video(path) as (container, _):
        yield from frames_at_rate(container, fps)


def _is_settled(path: Path) -> bool:
    """Whether a file is written to its end: an image that can be read, or a video that has not changed for a while."""
    try:
        age = time.time() - path.stat().st_mtime
        if age >= _SETTLED_S or path.suffix.lower() in VIDEOS:
            return age >= _SETTLED_S
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True
