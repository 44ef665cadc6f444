"""How many frames of which size a clip will have, told without decoding it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from videoguard.frames.decoding import DecodeError, open_video
from videoguard.frames.resizing import stored_size
from videoguard.frames.rule import FrameRule
from videoguard.frames.sampling import sample_indexes
from videoguard.manifests.sample import MediaSource

_EXIF_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})
"""EXIF orientations in which width and height change places."""


@dataclass(frozen=True)
class ClipShape:
    """Stored frames of a clip."""

    frames: int
    height: int
    width: int


def probe_clip(source: MediaSource, rule: FrameRule) -> ClipShape:
    """The stored frames that a rule makes of a clip.

    Of a video the header and the first frame are read: its frames are taken as evenly spaced, as many as the header tells,
    or its packets where it tells none. Of images only the first header is read.

    Raises:
        DecodeError: the file is missing, or is no video or image.
    """
    return _probe_video(source, rule) if isinstance(source, Path) else _probe_images(source, rule)


def _probe_video(path: Path, rule: FrameRule) -> ClipShape:
    with open_video(path) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise DecodeError("it holds no frame")
        width, height = first.width, first.height
        if round(first.rotation / 90) % 2:
            width, height = height, width
        fps = float(stream.average_rate or stream.guessed_rate or 1)
        count = stream.frames
        if not count:
            container.seek(0)
            count = sum(1 for packet in container.demux(stream) if packet.size)
    starts = np.arange(count) / fps
    width, height = stored_size(width, height, rule)
    return ClipShape(len(sample_indexes(starts, count / fps, rule)), height, width)


def _probe_images(paths: Sequence[Path], rule: FrameRule) -> ClipShape:
    try:
        with Image.open(paths[0]) as image:
            width, height = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION) in _TURNED
    except OSError as error:
        raise DecodeError(f"the image {paths[0].name} cannot be read: {error}") from None
    width, height = stored_size(*((height, width) if turned else (width, height)), rule)
    return ClipShape(min(len(paths), rule.count), height, width)
