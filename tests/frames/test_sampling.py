"""Which frames are taken, worked out by hand, and what holds for every clip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.frames.sampling import uniform_indexes

STARTS = st.lists(st.floats(0, 3600), min_size=1, max_size=200)


def test_the_frame_in_the_middle_of_each_span_is_taken():
    # 24 frames in 2 s, 8 spans of 0.25 s: the first middle, 0.125 s, is shown by frame 1 (0.083 s to 0.167 s).
    starts = np.arange(24) / 12
    assert uniform_indexes(starts, 2.0, 8).tolist() == [1, 4, 7, 10, 13, 16, 19, 22]


def test_a_middle_on_the_border_of_two_frames_takes_the_one_that_begins_there_even_in_32_bit_times():
    starts = (np.arange(30) / 30).astype(np.float32)
    assert uniform_indexes(starts, 1.0, 3).tolist() == [5, 15, 25]


def test_real_times_count_where_the_frame_rate_varies():
    # Ten frames in the first second, then one each second up to 5 s. Middles: 0.5, 1.5, 2.5, 3.5, 4.5 s.
    starts = [*(np.arange(10) / 10), 1.0, 2.0, 3.0, 4.0]
    assert uniform_indexes(starts, 5.0, 5).tolist() == [5, 10, 11, 12, 13]


def test_a_frozen_picture_is_taken_once():
    # Every middle (1.375, 4.125, 6.875, 9.625 s) falls on the last frame, shown from 1 s to 11 s.
    starts = np.arange(11) / 10
    assert uniform_indexes(starts, 11.0, 4).tolist() == [7, 8, 9, 10]


def test_the_frames_after_a_frozen_picture_stand_in_for_its_repeats():
    starts = [0.0, 9.0, 9.1, 9.2, 9.3, 9.4]
    assert uniform_indexes(starts, 9.5, 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("frames", [1, 3, 8])
def test_a_short_clip_gives_each_of_its_frames_once(frames):
    assert uniform_indexes(np.arange(frames) / 30, frames / 30, 8).tolist() == list(range(frames))


def test_times_that_do_not_begin_at_zero_give_the_same_frames():
    starts = np.arange(24) / 12
    np.testing.assert_array_equal(uniform_indexes(starts + 1.4, 2.0, 8), uniform_indexes(starts, 2.0, 8))


@given(STARTS, st.floats(0.001, 4000), st.integers(1, 64))
def test_indexes_rise_stay_in_range_and_are_as_many_as_asked(starts, duration, count):
    indexes = uniform_indexes(starts, duration, count)

    assert len(indexes) == min(count, len(starts))
    assert (np.diff(indexes) > 0).all()
    assert indexes[0] >= 0
    assert indexes[-1] < len(starts)


@given(STARTS, st.integers(1, 64), st.randoms(use_true_random=False))
def test_the_order_in_which_the_times_are_given_does_not_matter(starts, count, random):
    shuffled = list(starts)
    random.shuffle(shuffled)
    np.testing.assert_array_equal(uniform_indexes(shuffled, 10.0, count), uniform_indexes(starts, 10.0, count))


@given(st.integers(1, 500), st.integers(1, 64), st.sampled_from([12, 24, 25, 29.97, 30, 60]))
def test_at_a_constant_rate_no_part_of_the_clip_is_left_out(frames, count, fps):
    indexes = uniform_indexes(np.arange(frames) / fps, frames / fps, count)
    span = max(frames / count, 1.0)
    gaps = np.diff([-0.5, *indexes, frames - 0.5])
    assert gaps[0] <= span / 2 + 1
    assert gaps[-1] <= span / 2 + 1
    assert gaps.max() <= span + 1
