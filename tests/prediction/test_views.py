"""Windows of long videos and changed copies: how they are cut, and how their answers become one."""

import json

import numpy as np
import pytest

from tests.prediction.test_predict import row, run
from videoguard.exercises.rendering import render_frames
from videoguard.exercises.video import write_video
from videoguard.inference.views import WHOLE, Looks, View, Windows
from videoguard.models.media import TimedFrames


@pytest.mark.parametrize(
    ("frames", "overlap", "spans"),
    [
        (4, 0.0, [(0, None)]),
        (8, 0.0, [(0, 4), (4, 8)]),
        # The last window ends with the video and shares more with the one before.
        (10, 0.0, [(0, 4), (4, 8), (6, 10)]),
        # A second of four is one frame of four.
        (10, 1.0, [(0, 4), (3, 7), (6, 10)]),
    ],
)
def test_windows_cover_the_video(frames, overlap, spans):
    assert Windows(4.0, overlap).cut(frames, 4) == [View(start, stop) for start, stop in spans]


def test_a_window_is_shown_as_a_clip_of_its_own():
    shown = TimedFrames(np.arange(6 * 2 * 2 * 3, dtype=np.uint8).reshape(6, 2, 2, 3), np.arange(6, dtype=np.float64) * 0.5)
    part = View(2, 5).of(shown)
    assert (part.pictures == shown.pictures[2:5]).all()
    assert part.times.tolist() == [0.0, 0.5, 1.0]
    assert WHOLE.of(shown) is shown


def test_copies_are_changed_alike_each_time_and_differ_from_each_other():
    ((whole, first, second),) = Looks(copies=2).views(8, 8, "digest")
    assert whole == WHOLE
    assert first != second != whole
    assert Looks(copies=2).views(8, 8, "digest") == [[whole, first, second]]


SPANS = [(0.0, 10.0), (10.0, 20.0), (20.0, 75.0)]


@pytest.mark.parametrize(
    ("merge", "wanted"),
    [
        ("vote", "squat - deeper"),
        ("distinct", "squat - deeper\nlunge - fine"),
        ("timeline", "0:00-0:20 squat - deeper\n0:20-1:15 lunge - fine"),
    ],
)
def test_the_answers_of_windows_become_one(merge, wanted):
    rows = [[row("squat - deeper", -1.0)], [row("squat - deeper", -2.0)], [row("lunge - fine", -0.3)]]
    assert Looks(Windows(10.0), merge=merge).merge_rows(rows, SPANS).answer == wanted


def test_a_window_that_failed_is_left_out_and_copies_vote_within_theirs():
    rows = [[row("a", -1.0), row("b", -2.0), row("b", -3.0)], [row(None, error="no")], [row("c", -1.0)]]
    merged = Looks(Windows(10.0), 2, "timeline").merge_rows(rows, SPANS)
    assert merged.answer == "0:00-0:10 b\n0:20-1:15 c"


def test_a_long_video_is_answered_window_by_window(trained, tiny_base, tmp_path):
    frames = render_frames("squat", "correct", "1", range(72), size=64, seconds=6.0, fps=12)
    write_video(tmp_path / "long.mp4", frames, 12)
    arguments = [tmp_path / "long.mp4", "--model", trained.adapter, "--base", tiny_base, "--state", tmp_path]
    arguments += ["--question", "Which?", "--max-new-tokens", 6, "--window", 2, "--merge", "timeline", "--json"]
    code, told = run(*arguments)
    assert code == 0
    (answer,) = next(iter(json.loads(told)["rows"].values()))
    assert answer["answer"].startswith("0:00-")
    assert "-0:06 " in answer["answer"]
    assert run(*arguments) == (0, told)
    code, told = run(*arguments, "--copies", 1)
    assert (code, json.loads(told)["rows"] == {}) == (0, False)
