"""Scores of frames, worked out by hand."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from videoguard.quality.scores import decode_luma, laplacian_variance, score_frames


def plain(*levels: int, side: int = 20) -> np.ndarray:
    """Frames of one grey level each."""
    return np.stack([np.full((side, side), level, np.uint8) for level in levels])


def test_brightness_is_the_mean_grey_level():
    assert score_frames(plain(10, 20, 60)).brightness == pytest.approx(30.0)


def test_colours_weigh_as_in_bt_601():
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), (200, 100, 50), np.uint8)).save(file, "PNG")
    # 0.299 × 200 + 0.587 × 100 + 0.114 × 50 = 124.2.
    assert decode_luma([file.getvalue()]).tolist() == [[[124] * 4] * 4]


def test_a_plain_picture_has_no_sharpness():
    assert score_frames(plain(128)).sharpness == 0.0


def test_the_variance_of_the_laplacian_of_one_bright_pixel():
    # 5 × 5 zeros with a 10 in the middle: -40 there, 10 at its four neighbours, 0 elsewhere. Variance (1600 + 4 × 100) / 25.
    frame = np.zeros((5, 5), np.uint8)
    frame[2, 2] = 10
    assert laplacian_variance(frame) == pytest.approx(80.0)


def test_the_border_is_mirrored_without_its_own_pixel():
    # Rows of 0 10: across, each pixel sees the other one twice; down, its own level twice. 0: 20; 10: -20. Variance 400.
    assert laplacian_variance(np.array([[0, 10], [0, 10]], np.uint8)) == pytest.approx(400.0)


def test_blur_lowers_the_sharpness():
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64), dtype=np.uint8)
    blurred = np.asarray(Image.fromarray(noise[0]).resize((16, 16)).resize((64, 64)))[None]
    assert score_frames(blurred).sharpness < score_frames(noise).sharpness / 10


def moving_square(positions, side=100, square=30) -> np.ndarray:
    frames = np.full((len(positions), side, side), 40, np.uint8)
    for frame, position in zip(frames, positions, strict=True):
        frame[40 : 40 + square, position : position + square] = 220
    return frames


def test_motion_is_the_share_of_neighbours_that_differ_visibly():
    # It moves, stays, moves, stays: two of four.
    scores = score_frames(moving_square([0, 50, 50, 0, 0]))
    assert scores.motion == 0.5
    # Two squares of 30 × 30 of 100 × 100 pixels have changed in each of the two, and a pixel more where smoothing has
    # spread their borders.
    assert scores.change is not None
    assert 0.5 * 2 * 0.09 <= scores.change <= 0.5 * 2 * 0.32**2
    assert scores.frozen == 0.5


def test_a_change_of_few_pixels_or_of_few_levels_is_no_motion():
    small = moving_square([0, 50], square=5)
    assert score_frames(small).motion == 0.0
    assert score_frames(plain(100, 118)).motion == 0.0
    assert score_frames(plain(100, 119)).motion == 1.0


def test_a_video_of_one_frame_has_no_motion_to_tell():
    scores = score_frames(plain(100))
    assert (scores.motion, scores.change, scores.frozen) == (None, None, None)


def test_a_frame_is_black_where_98_percent_of_its_pixels_are():
    frames = plain(0, 25, 26, 0, 0, side=100)
    frames[3, :2] = 255  # 2 % of the pixels
    frames[4, :3] = 255
    assert score_frames(frames).black == pytest.approx(3 / 5)


def test_noise_of_the_encoder_is_still_frozen():
    frames = plain(100, 101, 102, side=100)
    frames[2, :10] += 1  # 1.1 levels more than the frame before, on average
    assert score_frames(frames).frozen == 0.5


@settings(max_examples=100)
@given(arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 24), st.integers(1, 24))))
def test_scores_of_any_frames_are_in_their_ranges(frames):
    scores = score_frames(frames)
    assert 0 <= scores.brightness <= 255
    assert 0 <= scores.sharpness < np.inf
    assert 0 <= scores.black <= 1
    for share in (scores.motion, scores.change, scores.frozen):
        assert (share is None) == (len(frames) == 1)
        assert share is None or 0 <= share <= 1
