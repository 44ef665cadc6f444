"""The size of a stored frame."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from videoguard.frames.rule import FrameRule

Frame = npt.NDArray[np.uint8]
_FILTER = Image.Resampling.BICUBIC


def resize_frame(frame: Frame, rule: FrameRule) -> Frame:
    """A frame `(height, width, 3) uint8 RGB` in the size that `rule` stores.

    `fit` and `pixels` scale down to a longest side or an area, keep the shape and never enlarge. `cover` scales until both
    sides are reached and cuts off what is over on either side alike. `exact` stretches.
    """
    height, width = frame.shape[:2]
    size = stored_size(width, height, rule)
    if rule.resize == "cover":
        return np.asarray(ImageOps.fit(Image.fromarray(frame), size, method=_FILTER, centering=(0.5, 0.5)))
    return frame if size == (width, height) else np.asarray(Image.fromarray(frame).resize(size, _FILTER))


def stored_size(width: int, height: int, rule: FrameRule) -> tuple[int, int]:
    """Width and height, pixels, that `rule` stores a frame of this size in."""
    if rule.resize in {"cover", "exact"}:
        return _asked(rule)
    if rule.resize == "pixels":
        assert rule.max_pixels is not None
        return size_of_area(width, height, rule.max_pixels)
    return fitted_size(width, height, rule.max_side)


def fitted_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Width and height scaled down so that the longest side is at most `max_side`; never enlarged, never below 1."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def size_of_area(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """Width and height scaled down so that their product is at most `max_pixels`; never enlarged, never below 1."""
    if width * height <= max_pixels:
        return width, height
    scale = math.sqrt(max_pixels / (width * height))
    narrow, low = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    # Where the shorter side rounded to less than a pixel, the longer one makes room for it.
    low = min(low, max_pixels)
    return min(narrow, max_pixels // low), low


def _asked(rule: FrameRule) -> tuple[int, int]:
    assert rule.width is not None
    assert rule.height is not None
    return rule.width, rule.height
