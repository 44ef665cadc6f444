"""The sheet Guard, read back."""

from openpyxl import load_workbook

from videoguard.dataset.guard import UnsafeSpan
from videoguard.evaluation.scores import Evaluation
from videoguard.inference.guard.trace import ClipTrace, FrameDecision, GuardTrace, alarms_of
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.formats.guard_categories import CATEGORIES
from videoguard.report.content import ModelResult
from videoguard.report.sections import sections_of
from videoguard.report.workbook import write_workbook


def judged(name, clips, wanted, verdict, spans=()):
    """A video of clips, each a list of said and wanted categories a frame."""
    frames = [frame for clip in clips for frame in clip]
    decisions = [
        FrameDecision(
            time=float(time),
            labels=said,
            probabilities=dict.fromkeys(CATEGORIES, 0.0) | dict.fromkeys(said, 0.9),
            raised=said,
            wanted=right,
        )
        for time, (said, right) in enumerate(frames)
    ]
    parts, start = [], 0
    for clip in clips:
        parts.append(ClipTrace(frames=tuple(decisions[start : start + len(clip)]), summary=None))
        start += len(clip)
    trace = GuardTrace(
        clips=tuple(parts), alarms=tuple(alarms_of(decisions)), verdict=verdict, wanted=wanted, spans=tuple(spans)
    )
    return AnswerRow(
        id=name, video=name, group=name, label=None, question="q", reference="r", status="ok", answer="a", guard=trace
    )


def guard_content(make):
    violence, none = ("C3",), ()
    rows = [
        judged("safe.mp4", [[(none, none), (none, none)]], none, none),
        judged(
            "fight.mp4",
            [[(none, none), (none, none)], [(none, violence), (violence, violence), (("C6",), violence)]],
            violence,
            None,
            [UnsafeSpan(category="C3", start=2.0, end=5.0)],
        ),
    ]
    nothing_scored = Evaluation(rows=[], summary={}, by_label={})
    return make.content(models=[ModelResult(name="guard", rows=rows, evaluation=nothing_scored)])


def rows_of(sheet):
    return [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]


def test_figures_delays_and_a_line_a_video_stand_in_the_sheet(make, tmp_path):
    path = tmp_path / "book.xlsx"
    write_workbook(guard_content(make), path)
    rows = rows_of(load_workbook(path)["Guard"])
    # C3 in frames: wanted 3 times, named once, rightly; 2 of 7 frames are wrong about it.
    assert ["C3(Threats, Violence & Harm)", 3, 1, 1, 1, 1 / 3, 0.5, 5 / 7] in rows
    assert ["C6(Hateful Content & Extremism)", 0, 1, 0, 0, "–", 0, 6 / 7] in rows
    assert ["all", 1, 1, 1, 1, 1, 1] in rows
    assert ["Verdicts: what the answer at the end says. n = 1, 1 unscored; exactly right 100.0%."] in rows
    assert rows[-2] == ["fight.mp4", "C3", "C3+C6", "cannot be read", "C3 0:03, C6 0:04", 5, 2, "·· ○■×"]
    assert rows[-1] == ["safe.mp4", "safe", "safe", "safe", "none", 2, 0, "··"]


def test_the_page_has_the_same(make, tmp_path):
    (section,) = [part for part in sections_of(guard_content(make), tmp_path) if part.name == "guard"]
    cells = [[cell.text for cell in row] for table in section.tables for row in table.rows]
    assert ["C3(Threats, Violence & Harm)", "3", "1", "1", "1.000", "0.333", "0.500", "0.714"] in cells
    assert cells[-2][-1] == "·· ○■×"


def test_without_streams_there_is_no_sheet(make, tmp_path):
    write_workbook(make.content(), tmp_path / "book.xlsx")
    assert "Guard" not in load_workbook(tmp_path / "book.xlsx").sheetnames
