"""Frames of a video as one small picture."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from videoguard.report.content import StoredFrame

ACROSS = 4
"""Most frames beside each other; more go on below."""

_WIDTH, _HEIGHT, _GAP = 148, 112, 4
# Twice as many pixels as are shown, for print and for fine screens.
_DENSITY = 2
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Strip:
    """Some frames of one video in their order, from left to right and then below."""

    jpeg: bytes
    width: int
    """As shown, pixels at 96 to the inch."""
    height: int
    times: tuple[float | None, ...]
    """Of the frames, seconds."""


def film_strip(frames: Sequence[StoredFrame], count: int) -> Strip:
    """At most `count` frames, spread evenly from the first to the last, in one JPEG picture."""
    chosen = [frames[place] for place in evenly(len(frames), count)]
    pictures = [_shrunk(frame.image) for frame in chosen]
    cell_width, cell_height = (max(picture.size[side] for picture in pictures) for side in (0, 1))
    columns = min(len(pictures), ACROSS)
    rows = -(-len(pictures) // columns)
    gap = max(1, round(_GAP * cell_height / _HEIGHT))
    size = (columns * cell_width + (columns - 1) * gap, rows * cell_height + (rows - 1) * gap)
    strip = Image.new("RGB", size, "white")
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        strip.paste(picture, (column * (cell_width + gap), row * (cell_height + gap)))
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=_QUALITY, optimize=True)
    scale = min(_WIDTH / cell_width, _HEIGHT / cell_height)
    shown = round(size[0] * scale), round(size[1] * scale)
    return Strip(file.getvalue(), *shown, tuple(frame.time_s for frame in chosen))


def evenly(length: int, count: int) -> list[int]:
    """At most `count` places of `length`, the first and the last among them, as evenly as they can be."""
    if count >= length:
        return list(range(length))
    if count == 1:
        return [length // 2]
    return [round(place * (length - 1) / (count - 1)) for place in range(count)]


def _shrunk(image: bytes) -> Image.Image:
    """The picture no larger than is shown, and never enlarged."""
    picture: Image.Image = Image.open(io.BytesIO(image)).convert("RGB")
    picture.thumbnail((_WIDTH * _DENSITY, _HEIGHT * _DENSITY), Image.Resampling.LANCZOS)
    return picture
