"""A stream watched to its end, broken off, or looked at with other thresholds."""

import numpy as np
import pytest

from videoguard.errors import UserError
from videoguard.exercises.video import write_video
from videoguard.frames.rule import FrameRule
from videoguard.inference.guard.guard import Response
from videoguard.inference.guard.sources import Source
from videoguard.inference.guard.trace import FrameDecision
from videoguard.inference.guard.watching import Watch, load_watch, read_thresholds
from videoguard.report.guard_timeline import choose_pictures, draw_timeline

RULE = FrameRule(count=8, max_side=64, codec="png", jpeg_quality=95)


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    write_video(path, np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8), 2)
    return path


def test_a_watched_stream_tells_every_frame_clip_alarm_and_the_end(guard, film, tmp_path):
    watch = Watch(guard(clip_frames=4, thresholds={"C3": 0.05}), Source(str(film), RULE))
    events = list(watch.events())
    report = watch.report("tiny", {"C3": 0.05})
    assert report.complete
    assert [len(clip.frames) for clip in report.trace.clips] == [4, 4, 2]
    assert [frame.time for frame in report.trace.frames] == [float(second) for second in range(10)]
    assert isinstance(events[-1], Response)
    assert report.response == events[-1].text
    first = next(frame for frame in report.trace.frames if "C3" in frame.raised)
    assert (report.trace.alarms[0].category, report.trace.alarms[0].time) == ("C3", first.time)
    draw_timeline(report.trace, watch.pictures, "film.mp4", tmp_path / "guard.png")
    assert (tmp_path / "guard.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_decided_before_an_interruption_is_told(guard, film):
    watch = Watch(guard(clip_frames=4), Source(str(film), RULE))
    events = watch.events()
    decided = [seen for seen in (next(events) for _ in range(7)) if isinstance(seen, FrameDecision)]
    report = watch.report("tiny", {})
    assert not report.complete
    assert report.response is None
    assert report.trace.frames == decided
    assert [len(clip.frames) for clip in report.trace.clips] == [4, 2]


def test_thresholds_raise_alarms_and_change_no_decision(guard, film):
    strict = Watch(guard(thresholds=read_thresholds(["1.0"])), Source(str(film), RULE))
    loose = Watch(guard(thresholds=read_thresholds(["0.01"])), Source(str(film), RULE))
    list(strict.events())
    list(loose.events())
    frames = [watch.report("tiny", {}).trace.frames for watch in (strict, loose)]
    assert [frame.probabilities for frame in frames[0]] == [frame.probabilities for frame in frames[1]]
    assert strict.alarms == []
    assert loose.alarms != []


def test_thresholds_are_read_for_one_category_or_all():
    assert read_thresholds(["0.4", "C3=0.6"]) == {**dict.fromkeys(["C1", "C2", "C4", "C5", "C6"], 0.4), "C3": 0.6}
    for bad in ("C7=0.5", "C3=2", "C3=x", "=0.5", "0"):
        with pytest.raises(UserError, match=r"write C3=0\.6"):
            read_thresholds([bad])


def test_a_path_that_leads_nowhere_is_refused_before_the_model_is_loaded(tmp_path):
    with pytest.raises(UserError, match="is not there"):
        load_watch(
            "no-model", None, str(tmp_path / "none.mp4"),
            dtype="float32", fps=1.0, clip_frames=8, wait=1.0, thresholds={},
        )  # fmt: skip


def test_the_picture_of_the_first_alarm_is_among_those_shown(guard, film):
    watch = Watch(guard(thresholds={"C3": 0.05}), Source(str(film), RULE))
    list(watch.events())
    pictures = [(float(second), np.zeros((1, 2, 2, 3), np.uint8)) for second in range(100)]
    alarm = watch.alarms[0].model_copy(update={"time": 37.0})
    times = [time for time, _ in choose_pictures(pictures, [alarm], most=5)]
    assert 37.0 in times
    assert (times[0], times[-1], len(times)) == (0.0, 99.0, 5)
