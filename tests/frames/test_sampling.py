"""Which frames are taken, worked out by hand, and what holds for every clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.frames.rule import FrameRule
from videoguard.frames.sampling import (
    first_to_last_indexes,
    rate_indexes,
    sample_indexes,
    strided_indexes,
    uniform_indexes,
)

STARTS = st.lists(st.floats(0, 3600), min_size=1, max_size=200)
many = settings(max_examples=300)


def rule(sampling, count, **values) -> FrameRule:
    return FrameRule(count, 640, "jpeg", 95, sampling=sampling, **values)


RULES = st.one_of(
    st.builds(rule, st.sampled_from(["uniform", "first_to_last"]), st.integers(1, 64)),
    st.builds(rule, st.just("fps"), st.integers(1, 64), fps=st.floats(0.01, 240)),
    st.builds(rule, st.just("stride"), st.integers(1, 64), stride=st.integers(1, 50)),
)


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


def test_equal_steps_of_time_from_the_first_frame_to_the_last():
    # 25 frames at 12 per second, the last at 2 s: steps of 0.5 s are 6 frames.
    assert first_to_last_indexes(np.arange(25) / 12, 5).tolist() == [0, 6, 12, 18, 24]


def test_the_first_and_the_last_are_taken_where_the_frame_rate_varies():
    # Last frame at 4 s: times 0, 2, 4.
    starts = [*(np.arange(10) / 10), 1.0, 2.0, 3.0, 4.0]
    assert first_to_last_indexes(starts, 3).tolist() == [0, 11, 13]
    assert first_to_last_indexes(starts, 1).tolist() == [0]


def test_one_frame_a_second_is_the_one_shown_at_each_full_second():
    # 3.5 s at 10 per second: 0, 1, 2 and 3 s.
    assert rate_indexes(np.arange(35) / 10, 3.5, fps=1.0, most=8).tolist() == [0, 10, 20, 30]


def test_a_clip_of_a_whole_number_of_seconds_gives_as_many_frames():
    assert rate_indexes(np.arange(80) / 10, 8.0, fps=1.0, most=8).tolist() == [0, 10, 20, 30, 40, 50, 60, 70]


def test_a_clip_longer_than_the_maximum_gives_uniform_frames_of_the_whole():
    # 9 s want 9 frames: 8 uniform ones instead, at 0.5625, 1.6875 … 8.4375 s.
    taken = rate_indexes(np.arange(90) / 10, 9.0, fps=1.0, most=8)
    assert taken.tolist() == [5, 16, 28, 39, 50, 61, 73, 84]


def test_a_rate_above_that_of_the_clip_gives_each_frame_once():
    assert rate_indexes(np.arange(5) / 10, 0.5, fps=30.0, most=64).tolist() == [0, 1, 2, 3, 4]


def test_a_picture_that_stands_for_seconds_is_taken_once_by_the_rate():
    # Frames at 0, 0.5 and 4 s of a 5 s clip; times 0, 1, 2, 3, 4.
    assert rate_indexes([0.0, 0.5, 4.0], 5.0, fps=1.0, most=8).tolist() == [0, 1, 2]


def test_each_stride_th_frame_from_the_first_on():
    assert strided_indexes(400, stride=15, count=20).tolist() == list(range(0, 300, 15))


def test_a_stride_too_wide_for_the_clip_shrinks_to_the_widest_that_gives_the_count():
    # 20 frames, 8 wanted: 7 steps fit 19 frames with a stride of 2.
    assert strided_indexes(20, stride=15, count=8).tolist() == [0, 2, 4, 6, 8, 10, 12, 14]


@pytest.mark.parametrize("frames", [1, 3, 8])
@pytest.mark.parametrize("sampling", ["uniform", "first_to_last", "stride"])
def test_a_short_clip_gives_each_of_its_frames_once(frames, sampling):
    chosen = rule(sampling, 8, stride=4)
    assert sample_indexes(np.arange(frames) / 30, frames / 30, chosen).tolist() == list(range(frames))


def test_times_that_do_not_begin_at_zero_give_the_same_frames():
    starts = np.arange(24) / 12
    for chosen in (rule("uniform", 8), rule("first_to_last", 8), rule("fps", 8, fps=3.0), rule("stride", 8, stride=2)):
        later = sample_indexes(starts + 1.4, 2.0, chosen)
        np.testing.assert_array_equal(later, sample_indexes(starts, 2.0, chosen))


@many
@given(STARTS, st.floats(0.001, 4000), RULES)
def test_indexes_rise_stay_in_range_and_are_no_more_than_asked(starts, duration, chosen):
    indexes = sample_indexes(starts, duration, chosen)

    assert 1 <= len(indexes) <= min(chosen.count, len(starts))
    if chosen.sampling != "fps":
        assert len(indexes) == min(chosen.count, len(starts))
    assert (np.diff(indexes) > 0).all()
    assert indexes[0] >= 0
    assert indexes[-1] < len(starts)


@many
@given(STARTS, st.integers(2, 64))
def test_both_ends_are_reached(starts, count):
    indexes = first_to_last_indexes(starts, count)
    assert (indexes[0], indexes[-1]) == (0, len(starts) - 1)


@many
@given(STARTS, RULES, st.randoms(use_true_random=False))
def test_the_order_in_which_the_times_are_given_does_not_matter(starts, chosen, random):
    shuffled = list(starts)
    random.shuffle(shuffled)
    np.testing.assert_array_equal(sample_indexes(shuffled, 10.0, chosen), sample_indexes(starts, 10.0, chosen))


@many
@given(st.integers(1, 500), st.integers(1, 64), st.sampled_from([12, 24, 25, 29.97, 30, 60]))
def test_at_a_constant_rate_no_part_of_the_clip_is_left_out(frames, count, fps):
    indexes = uniform_indexes(np.arange(frames) / fps, frames / fps, count)
    span = max(frames / count, 1.0)
    gaps = np.diff([-0.5, *indexes, frames - 0.5])
    assert gaps[0] <= span / 2 + 1
    assert gaps[-1] <= span / 2 + 1
    assert gaps.max() <= span + 1


@many
@given(st.integers(1, 500), st.sampled_from([12, 24, 25, 29.97, 30, 60]), st.floats(0.2, 60), st.integers(1, 64))
def test_a_rate_leaves_no_longer_gap_than_its_own_or_the_maximum_demands(frames, fps, wanted, most):
    duration = frames / fps
    indexes = rate_indexes(np.arange(frames) / fps, duration, wanted, most)
    longest = max(1 / wanted, duration / most, 1 / fps)
    assert np.diff([*indexes / fps, duration]).max() <= longest + 1 / fps + 1e-3


@many
@given(st.integers(1, 1000), st.integers(1, 50), st.integers(2, 64))
def test_steps_are_equal_and_as_wide_as_the_stride_or_the_clip_allows(frames, stride, count):
    indexes = strided_indexes(frames, stride, count)
    steps = set(np.diff(indexes).tolist())
    assert len(steps) <= 1
    if frames > count:
        (step,) = steps
        assert step == stride or (step < stride and step * (count - 1) < frames <= (step + 1) * (count - 1))
