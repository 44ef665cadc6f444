"""Frames of the figure."""

import numpy as np
import pytest

from videoguard.exercises.catalogue import CLASSES
from videoguard.exercises.rendering import frame_count, render_frames

RED_ARM = np.array([255, 70, 70])


def test_a_frame_does_not_depend_on_the_others_asked_for():
    together = render_frames("lunge", "leaning", "7", range(24))
    apart = render_frames("lunge", "leaning", "7", [3, 20])

    assert together.shape == (24, 96, 96, 3)
    assert together.dtype == np.uint8
    np.testing.assert_array_equal(together[[3, 20]], apart)


def test_another_seed_gives_another_video():
    one, other = (render_frames("squat", "correct", key, [0, 8]) for key in ("1", "2"))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed_key", ["0", "1", "2", "3"])
@pytest.mark.parametrize(("exercise", "form"), CLASSES)
def test_the_figure_moves_and_stays_in_the_picture(exercise, form, seed_key):
    frames = render_frames(exercise, form, seed_key, range(0, 24, 3), size=64).astype(int)
    background = frames[:, :3, :3].mean(axis=(0, 1, 2))
    drawn = np.abs(frames - background).max(axis=-1) > 80  # the ground line is fainter

    assert drawn.sum(axis=(1, 2)).min() > 60
    # A figure that is cut off touches an edge of the picture; the tip of a limb may.
    inside = drawn[:, 1:-1, 1:-1].sum(axis=(1, 2))
    assert (drawn.sum(axis=(1, 2)) - inside).max() <= 4
    assert (drawn[0] != drawn[1:]).sum(axis=(1, 2)).max() > 20


def test_the_left_arm_is_red_on_a_dark_ground():
    frame = render_frames("jumping jack", "correct", "0", [0]).astype(int)[0]
    assert (np.abs(frame - RED_ARM).max(axis=-1) < 25).sum() > 20
    assert np.median(frame) < 64


@pytest.mark.parametrize(("seconds", "fps", "frames"), [(2.0, 12, 24), (0.01, 12, 1), (1.5, 25, 38)])
def test_frame_count(seconds, fps, frames):
    assert frame_count(seconds, fps) == frames
