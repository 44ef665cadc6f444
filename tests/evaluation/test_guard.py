"""Figures of the guard against scikit-learn, and delays worked out by hand."""

import random
from collections.abc import Sequence

import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from videoguard.dataset.guard import UnsafeSpan
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.evaluation.guard import GUARD_FACTS, evaluate_guard, guard_metrics
from videoguard.inference.guard.trace import ClipTrace, FrameDecision, GuardTrace, alarms_of
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.formats.guard_categories import CATEGORIES

CODES = list(CATEGORIES)
Labels = tuple[str, ...]


def frame(time: float, labels: Labels, wanted: Labels | None) -> FrameDecision:
    probabilities = dict.fromkeys(CODES, 0.0) | dict.fromkeys(labels, 1.0)
    return FrameDecision(time=time, labels=labels, probabilities=probabilities, raised=labels, wanted=wanted)


def row(
    name: str,
    clips: Sequence[Sequence[FrameDecision]],
    wanted: Labels | None = None,
    verdict: Labels | None = None,
    spans: Sequence[UnsafeSpan] = (),
) -> AnswerRow:
    frames = [decision for clip in clips for decision in clip]
    trace = GuardTrace(
        clips=tuple(ClipTrace(frames=tuple(clip), summary=None) for clip in clips),
        alarms=tuple(alarms_of(frames)),
        verdict=verdict,
        wanted=wanted,
        spans=tuple(spans),
    )
    return AnswerRow(
        id=name, video=name, group=name, label=None, question="q", reference="r", status="ok", answer="a", guard=trace
    )


def draw(chance: random.Random) -> Labels:
    return tuple(code for code in CODES[:5] if chance.random() < 0.3)


def test_figures_of_every_category_and_level_are_those_of_scikit_learn():
    chance = random.Random(0)
    rows = []
    for number in range(12):
        clips = [[frame(10.0 * place + at, draw(chance), draw(chance)) for at in range(5)] for place in range(3)]
        rows.append(row(f"{number}.mp4", clips, wanted=draw(chance), verdict=draw(chance)))
    found = evaluate_guard(rows)
    assert found is not None

    def union(frames: Sequence[FrameDecision], field: str) -> set[str]:
        return {code for decision in frames for code in getattr(decision, field)}

    traces = [given.guard for given in rows if given.guard is not None]
    expected = {
        "frame": [(set(each.wanted or ()), set(each.labels)) for trace in traces for each in trace.frames],
        "clip": [(union(clip.frames, "wanted"), union(clip.frames, "labels")) for trace in traces for clip in trace.clips],
        "video": [(set(trace.wanted or ()), union(trace.frames, "labels")) for trace in traces],
        "verdict": [(set(trace.wanted or ()), set(trace.verdict or ())) for trace in traces],
    }
    for level in found.levels:
        pairs = expected[level.level]
        assert (level.n, level.unscored) == (len(pairs), 0)
        f1s = []
        for figures in level.categories:
            wanted = [figures.category in pair[0] for pair in pairs]
            named = [figures.category in pair[1] for pair in pairs]
            assert figures.accuracy == pytest.approx(accuracy_score(wanted, named), abs=1e-12)
            if figures.category == "C6":
                assert (figures.precision, figures.recall, figures.f1) == (None, None, None)
                continue
            assert figures.precision == pytest.approx(precision_score(wanted, named), abs=1e-12)
            assert figures.recall == pytest.approx(recall_score(wanted, named), abs=1e-12)
            assert figures.f1 == pytest.approx(f1_score(wanted, named), abs=1e-12)
            f1s.append(float(f1_score(wanted, named)))
        assert level.macro_f1 == pytest.approx(sum(f1s) / len(f1s), abs=1e-12)
        assert level.exact == pytest.approx(sum(pair[0] == pair[1] for pair in pairs) / len(pairs), abs=1e-12)


def test_time_to_alarm_is_from_the_start_of_the_span_to_the_first_frame_that_raises_it():
    spans = [
        UnsafeSpan(category="C3", start=1.5, end=5.0),
        UnsafeSpan(category="C6", start=2.0, end=4.0),
        UnsafeSpan(category="C3", start=7.0, end=9.0),
    ]
    said: list[Labels] = [("C1",), (), (), ("C3",), ("C3",), (), ("C6",), ("C3",), ("C3",), ()]
    frames = [frame(float(time), labels, ()) for time, labels in enumerate(said)]
    found = evaluate_guard([row("a.mp4", [frames], wanted=("C3", "C6"), spans=spans)])
    assert found is not None
    assert [(span.category, span.delay_s) for span in found.spans] == [("C3", 1.5), ("C6", None), ("C3", 0.0)]
    figures = {delay.category: delay for delay in found.delays}
    assert list(figures) == [None, "C1", "C3", "C6"]
    everything = figures[None]
    assert (everything.spans, everything.raised, everything.false_alarms) == (3, 2, 2)
    assert (everything.mean_s, everything.median_s, everything.longest_s) == (0.75, 0.75, 1.5)
    assert (figures["C6"].raised, figures["C6"].mean_s, figures["C6"].false_alarms) == (0, None, 1)


def test_what_nobody_labelled_and_verdicts_that_cannot_be_read_are_unscored():
    frames = [frame(0.0, ("C3",), ("C3",)), frame(1.0, ("C3",), None)]
    found = evaluate_guard([row("a.mp4", [frames], wanted=None), row("b.mp4", [frames[:1]], wanted=("C3",), verdict=None)])
    assert found is not None
    assert {level.level: (level.n, level.unscored) for level in found.levels} == {
        "frame": (2, 1), "clip": (1, 1), "video": (1, 1), "verdict": (0, 2),
    }  # fmt: skip
    assert found.levels[3].macro_f1 is None
    assert found.levels[3].categories == ()


def test_rows_that_are_no_streams_have_no_figures_and_failed_ones_are_counted():
    plain = AnswerRow(id="x", video="x", group="x", label=None, question="q", reference="r", status="failed", error="gone")
    assert evaluate_guard([plain]) is None
    found = evaluate_guard([plain, row("a.mp4", [[frame(0.0, (), ())]], wanted=())])
    assert found is not None
    assert (found.videos, found.failed) == (1, 1)
    assert guard_metrics([plain]) == {}


def test_the_headline_figures_are_scored_video_by_video():
    seen = [frame(0.0, (), ()), frame(1.0, ("C3",), ("C3",)), frame(2.0, ("C5",), ("C3",)), frame(3.0, (), ("C6",))]
    spans = [UnsafeSpan(category="C3", start=1.0, end=3.0), UnsafeSpan(category="C6", start=3.0, end=4.0)]
    rows = [
        row("a.mp4", [seen], wanted=("C3", "C6"), verdict=("C3", "C6"), spans=spans),
        row("safe.mp4", [[frame(0.0, (), ())]], wanted=(), verdict=None),
        row("unlabelled.mp4", [[frame(0.0, (), None)]], wanted=None, verdict=()),
        AnswerRow(id="x", video="x", group="x", label=None, question="q", reference="r", status="failed", error="gone"),
    ]
    found = guard_metrics(rows)
    assert list(found) == [facts.name for facts in GUARD_FACTS]
    # C3 was named once of the two frames that wanted it, C5 once where it was not, C6 not where it was: 2/3, 0 and 0.
    assert found["guard_frame_f1"]["scores"] == [pytest.approx(2 / 9), None, None, None]
    assert found["guard_frame_f1"]["corpus"] == pytest.approx(2 / 9)
    assert found["guard_frames"]["scores"] == [0.5, 1.0, None, None]
    assert found["guard_verdict"]["scores"] == [1.0, 0.0, None, None]
    assert found["guard_missed"]["scores"] == [0.5, None, None, None]
    assert found["guard_false_alarms"]["scores"] == [1.0, 0.0, None, None]
    assert found["guard_frames"]["reasons"] == [None, None, "nobody says what its frames show", "inference failed: gone"]


def test_an_evaluation_has_the_headline_figures_beside_its_metrics(tmp_path):
    rows = [row("a.mp4", [[frame(0.0, ("C3",), ("C3",))]], wanted=("C3",), verdict=("C3",))]
    found = evaluate_rows(rows, ["rouge_l"], sentence_model="none", state=tmp_path)
    assert list(found.summary) == list(found.metrics) == ["rouge_l", *(facts.name for facts in GUARD_FACTS)]
    assert found.summary["guard_frame_f1"].corpus == found.summary["guard_verdict"].mean == 1.0
