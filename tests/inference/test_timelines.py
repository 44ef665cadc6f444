"""Timelines of windows become one of the whole video."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.inference.timelines import merge_timelines


def test_entries_are_moved_by_the_start_of_their_window():
    first = '{"timeline": [{"ts": "00:01 - 00:03", "event": "squat"}, {"ts": "00:08", "event": "pause"}]}'
    second = '{"timeline": [{"ts": "00:02 – 00:04", "event": "lunge"}]}'
    merged = merge_timelines([(first, (0.0, 10.0)), (second, (595.0, 605.0))])
    assert merged is not None
    assert json.loads(merged) == {
        "timeline": [
            {"ts": "00:01 - 00:03", "event": "squat"},
            {"ts": "00:08", "event": "pause"},
            {"ts": "09:57 - 09:59", "event": "lunge"},
        ]
    }


def test_seconds_stay_seconds_and_other_fields_stay():
    answers = [('[{"start": 1, "end": 2.5, "label": "a", "sure": [1]}]', (10.0, 20.0)), ("[]", (20.0, 30.0))]
    assert json.loads(merge_timelines(answers) or "") == [{"start": 11, "end": 12.5, "label": "a", "sure": [1]}]


def test_clocks_of_start_and_end_keep_their_hours():
    answers = [('[{"start": "0:00:05", "end": "0:00:07"}]', (3600.0, 3610.0))]
    assert json.loads(merge_timelines(answers) or "") == [{"start": "1:00:05", "end": "1:00:07"}]


def test_what_both_windows_have_in_their_overlap_stands_once():
    first = '[{"start": 2, "end": 3, "label": "rep"}, {"start": 7, "end": 10, "label": "Rep"}]'
    # From 6 to 16: the second of the first window goes on, then comes one that only this window has.
    second = '[{"start": 1, "end": 6, "label": "rep"}, {"start": 8, "end": 9, "label": "rep"}]'
    merged = json.loads(merge_timelines([(first, (0.0, 10.0)), (second, (6.0, 16.0))]) or "")
    assert [(entry["start"], entry["end"]) for entry in merged] == [(2, 3), (7, 12), (14, 15)]


def test_windows_that_share_nothing_repeat_nothing():
    answer = '[{"start": 0, "end": 4, "label": "rep"}]'
    merged = json.loads(merge_timelines([(answer, (0.0, 4.0)), (answer, (4.0, 8.0))]) or "")
    assert [(entry["start"], entry["end"]) for entry in merged] == [(0, 4), (4, 8)]


def test_something_else_at_the_same_time_stays():
    first, second = '[{"ts": "00:08", "event": "a"}]', '[{"ts": "00:02", "event": "b"}]'
    merged = json.loads(merge_timelines([(first, (0.0, 10.0)), (second, (6.0, 16.0))]) or "")
    assert [entry["event"] for entry in merged] == ["a", "b"]


@pytest.mark.parametrize(
    "other",
    [
        "squat - deeper",
        '[{"ts": "Q1 02:30"}]',
        '[{"start": 3, "end": 2}]',
        '[{"start": true, "end": 2}]',
        '[{"ts": "00:75"}]',
        '[{"ts": "00:01 - 00:02 - 00:03"}]',
        '[{"event": "no time"}]',
        "[1]",
        '{"a": [], "b": []}',
        '{"timeline": 1}',
        '[{"start": 1e300, "end": 1e300}]',
    ],
)
def test_what_is_no_timeline_is_not_merged(other):
    assert merge_timelines([("[]", (0.0, 4.0)), (other, (4.0, 8.0))]) is None


EVENTS = st.lists(st.tuples(st.integers(0, 95), st.integers(0, 4), st.sampled_from("abc")), unique=True, max_size=12)


@given(EVENTS, st.integers(6, 20), st.integers(0, 5))
def test_a_video_cut_into_windows_has_its_own_timeline_again(events, length, overlap):
    """Each window tells the part of every event that it shows; no two of one kind are near each other."""
    wanted: list[tuple[int, int, str]] = []
    for start, lasts, kind in sorted(events):
        if all(label != kind or start > end + 3 for _, end, label in wanted):
            wanted.append((start, start + lasts, kind))
    answers = []
    for begin in range(0, 100, length - overlap):
        end = begin + length
        shown = [(max(start, begin), min(last, end), kind) for start, last, kind in wanted if start < end and last >= begin]
        told = [{"start": start - begin, "end": last - begin, "label": kind} for start, last, kind in shown]
        answers.append((json.dumps(told), (float(begin), float(end))))
    merged = [(entry["start"], entry["end"], entry["label"]) for entry in json.loads(merge_timelines(answers) or "")]
    # Every moment of every event is told, and nothing else.
    for kind in "abc":
        moments = {second for start, last, label in wanted if label == kind for second in range(start, last + 1)}
        assert {second for start, last, label in merged if label == kind for second in range(start, last + 1)} == moments
    # With an overlap that holds the longest event each stands once.
    if overlap == 5:
        assert sorted(merged) == sorted(wanted)


@given(
    st.text()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.sampled_from(["start", "end", "ts", "timeline"]), each),
    ).map(json.dumps)
)
def test_any_text_is_read_without_a_fault(text):
    merged = merge_timelines([(text, (5.0, 9.0))])
    assert merged is None or isinstance(json.loads(merged), (list, dict))
