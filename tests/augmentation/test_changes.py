"""Changes of frames: drawn by seed, applied alike to a whole clip, and each one what its name says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.augmentation.changes import Change, apply_change, draw_change
from videoguard.config import AugmentationSection

EVERYTHING = AugmentationSection(
    flip=0.5, rotate=10, blur=1, brighten=0.2, contrast=0.2, shift=0.1, shear=5, scale=0.1, noise=5, tempo=0.3
)


def clip(frames: int = 4, height: int = 24, width: int = 32) -> np.ndarray:
    """A bright square on a gradient; each frame is a level brighter than the one before."""
    picture = np.broadcast_to(np.linspace(20, 120, width).astype(np.uint8)[None, :, None], (height, width, 3)).copy()
    picture[8:16, 4:12] = (220, 60, 30)
    return np.stack([picture + frame for frame in range(frames)]).astype(np.uint8)


def test_no_change_gives_the_same_frames():
    np.testing.assert_array_equal(apply_change(clip(), Change()), clip())


def test_a_flip_is_the_mirror_image():
    np.testing.assert_array_equal(apply_change(clip(), Change(flip=True)), clip()[:, :, ::-1])


def test_a_shift_moves_the_picture_and_fills_with_the_mean_colour():
    frames = clip()
    moved = apply_change(frames, Change(shift=(0.25, 0.0)))
    np.testing.assert_array_equal(moved[:, :, 8:], frames[:, :, :-8])
    assert np.abs(moved[:, :, :8] - frames.mean(axis=(0, 1, 2))).max() <= 1


def test_a_turn_of_ninety_degrees_is_counter_to_the_clock():
    square = clip(height=32, width=32)
    np.testing.assert_array_equal(apply_change(square, Change(angle=90.0)), np.rot90(square, axes=(1, 2)))


def test_a_larger_scale_spreads_the_square_about_the_middle():
    frames = clip()
    frames[:] = 0
    frames[:, 8:16, 12:20] = 255
    larger = apply_change(frames, Change(scale=1.5))
    # 8 × 8 pixels become 12 × 12.
    assert (larger[0, :, :, 0] > 127).sum() == pytest.approx(144, abs=8)


def test_a_shear_moves_the_rows_against_each_other():
    frames = clip()
    frames[:] = 0
    frames[:, :, 15:17] = 255
    sheared = apply_change(frames, Change(shear=20.0))[0, :, :, 0] > 100
    centre = (sheared * np.arange(32)).sum(axis=1) / sheared.sum(axis=1)
    assert abs(centre[0] - centre[-1]) == pytest.approx(23 * np.tan(np.radians(20)), abs=1.0)


def test_brightness_and_contrast_are_factors():
    frames = clip()
    np.testing.assert_allclose(apply_change(frames, Change(brightness=1.1)), np.clip(frames * 1.1, 0, 255), atol=1)
    assert apply_change(frames, Change(contrast=0.5)).std() == pytest.approx(frames.std() / 2, rel=0.1)


def test_blur_smooths_and_keeps_the_brightness():
    frames = clip()
    blurred = apply_change(frames, Change(blur=2.0))
    assert np.abs(np.diff(blurred.astype(int), axis=2)).max() < np.abs(np.diff(frames.astype(int), axis=2)).max() / 2
    assert blurred.mean() == pytest.approx(frames.mean(), rel=0.05)


def test_noise_has_the_asked_deviation_and_differs_from_frame_to_frame():
    grey = np.full((3, 64, 64, 3), 128, np.uint8)
    noisy = apply_change(grey, Change(noise=8.0, noise_seed=1)).astype(float) - 128
    assert noisy.std() == pytest.approx(8.0, rel=0.1)
    assert not (noisy[0] == noisy[1]).all()


def test_noise_leaves_the_random_numbers_of_the_training_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    apply_change(clip(), Change(noise=8.0, noise_seed=1))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("tempo", "shown"),
    # Eight frames about their middle, 3.5: at twice the speed -3.5 -1.5 0.5 2.5 …, rounded and held at the ends.
    [(1.0, [0, 1, 2, 3, 4, 5, 6, 7]), (2.0, [0, 0, 0, 2, 4, 6, 7, 7]), (0.5, [2, 2, 3, 3, 4, 4, 5, 5])],
)
def test_tempo_spreads_the_frames_about_the_middle(tempo, shown):
    frames = clip(8)
    shown_frames = apply_change(frames, Change(tempo=tempo))
    found = (shown_frames[:, 0, 0, 0].astype(int) - frames[0, 0, 0, 0]).tolist()
    assert found == sorted(found)
    assert found == pytest.approx(shown, abs=1)


def test_one_frame_can_be_changed():
    assert apply_change(clip(1, 2, 2), draw_change(EVERYTHING, 0, 1, "a")).shape == (1, 2, 2, 3)


def test_the_same_seed_copy_and_sample_give_the_same_change_and_others_another():
    first = draw_change(EVERYTHING, 0, 1, "a")
    assert first == draw_change(EVERYTHING, 0, 1, "a")
    others = [
        draw_change(EVERYTHING, *other) for other in ((1, 1, "a"), (0, 2, "a"), (0, 1, "b"), (0, 11, "a"), (0, 1, "1a"))
    ]
    assert len({first, *others}) == 6
    np.testing.assert_array_equal(apply_change(clip(), first), apply_change(clip(), first))


def test_a_change_that_is_switched_on_leaves_the_others_as_they_were():
    without = draw_change(EVERYTHING.model_copy(update={"rotate": 0.0, "flip": 0.0}), 0, 1, "a")
    with_all = draw_change(EVERYTHING, 0, 1, "a")
    assert (without.shift, without.noise, without.tempo) == (with_all.shift, with_all.noise, with_all.tempo)
    assert without.angle == 0.0


def test_a_flip_comes_as_often_as_asked():
    section = AugmentationSection(flip=0.3)
    flips = sum(draw_change(section, 0, 1, str(sample)).flip for sample in range(2000))
    assert flips / 2000 == pytest.approx(0.3, abs=0.04)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 9), st.text(max_size=20))
def test_values_are_within_their_settings(seed, copy, sample):
    change = draw_change(EVERYTHING, seed, copy, sample)
    assert abs(change.angle) <= 10
    assert 0 <= change.blur <= 1
    assert 0 <= change.noise <= 5
    assert max(map(abs, change.shift)) <= 0.1
    assert abs(change.shear) <= 5
    assert abs(change.brightness - 1) <= 0.2
    assert abs(change.contrast - 1) <= 0.2
    assert abs(change.scale - 1) <= 0.1
    assert abs(change.tempo - 1) <= 0.3
    assert apply_change(clip(), change).shape == clip().shape
