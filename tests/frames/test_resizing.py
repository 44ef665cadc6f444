"""Sizes of stored frames, worked out by hand, and what holds for every source."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.frames.resizing import fitted_size, resize_frame, size_of_area
from videoguard.frames.rule import FrameRule

many = settings(max_examples=300)
SIDES = st.integers(1, 8000)


def rule(resize, **values) -> FrameRule:
    return FrameRule(8, values.pop("max_side", 640), "jpeg", 95, resize=resize, **values)


def stripes(width: int, height: int) -> np.ndarray:
    """Red, green and blue, a third of the width each."""
    frame = np.zeros((height, width, 3), np.uint8)
    for colour in range(3):
        frame[:, colour * width // 3 : (colour + 1) * width // 3, colour] = 255
    return frame


@pytest.mark.parametrize(
    ("chosen", "source", "stored"),
    [
        (rule("fit", max_side=96), (640, 480), (96, 72)),
        (rule("fit", max_side=96), (480, 640), (72, 96)),
        (rule("fit", max_side=96), (90, 60), (90, 60)),
        # 640 × 480 × (40,000 / 307,200): 230.9 × 173.2, rounded down.
        (rule("pixels", max_pixels=40_000), (640, 480), (230, 173)),
        (rule("pixels", max_pixels=40_000), (200, 200), (200, 200)),
        (rule("cover", width=224, height=224), (640, 480), (224, 224)),
        (rule("cover", width=224, height=224), (100, 50), (224, 224)),
        (rule("exact", width=224, height=112), (640, 480), (224, 112)),
        (rule("exact", width=224, height=112), (20, 480), (224, 112)),
    ],
)
def test_the_size_that_each_rule_stores(chosen, source, stored):
    width, height = source
    resized = resize_frame(stripes(width, height), chosen)
    assert resized.shape == (stored[1], stored[0], 3)
    assert resized.dtype == np.uint8


def test_cover_cuts_the_sides_off_alike_and_keeps_the_shape():
    # 300 × 100 covered by 100 × 100: the middle third, which is green.
    resized = resize_frame(stripes(300, 100), rule("cover", width=100, height=100))
    assert resized[:, 3:-3].reshape(-1, 3).mean(axis=0) == pytest.approx([0, 255, 0], abs=1)


def test_exact_stretches_and_cuts_nothing_off():
    resized = resize_frame(stripes(300, 100), rule("exact", width=90, height=90))
    assert [resized[:, place].argmax(axis=1).mean() for place in (10, 45, 80)] == [0, 1, 2]


def test_a_frame_that_has_its_size_is_not_touched():
    frame = stripes(64, 48)
    assert resize_frame(frame, rule("fit")) is frame
    assert resize_frame(frame, rule("exact", width=64, height=48)) is frame


@many
@given(SIDES, SIDES, st.integers(1, 2000))
def test_fitted_size_is_in_the_box_and_keeps_the_shape(width, height, max_side):
    fitted_width, fitted_height = fitted_size(width, height, max_side)

    assert 1 <= fitted_width <= min(width, max_side)
    assert 1 <= fitted_height <= min(height, max_side)
    if max(width, height) <= max_side:
        assert (fitted_width, fitted_height) == (width, height)
    else:
        assert max(fitted_width, fitted_height) == max_side
        # Rounding moves a side by half a pixel at most, or up to the one pixel that must remain.
        scale = max_side / max(width, height)
        assert abs(fitted_width - width * scale) <= 0.5 or fitted_width == 1
        assert abs(fitted_height - height * scale) <= 0.5 or fitted_height == 1


@many
@given(SIDES, SIDES, st.integers(1, 4_000_000))
def test_a_size_of_area_is_in_it_never_enlarged_and_keeps_the_shape(width, height, max_pixels):
    narrow, low = size_of_area(width, height, max_pixels)

    assert narrow >= 1
    assert low >= 1
    assert narrow * low <= max_pixels
    assert narrow <= width
    assert low <= height
    if width * height <= max_pixels:
        assert (narrow, low) == (width, height)
    elif min(narrow, low) > 1:
        scale = (max_pixels / (width * height)) ** 0.5
        assert width * scale - 1 < narrow <= width * scale + 1e-9
        assert height * scale - 1 < low <= height * scale + 1e-9
