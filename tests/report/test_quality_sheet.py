"""The sheet Quality, read back."""

from openpyxl import load_workbook

from videoguard.quality.judging import JudgedVideo
from videoguard.report.workbook import write_workbook


def judged(video, label="squat", **changes) -> JudgedVideo:
    fields = {
        "video": video,
        "label": label,
        "kind": "motion",
        "samples": 2,
        "width": 640,
        "height": 480,
        "brightness": 101.5,
        "sharpness": 80.25,
        "motion": 0.75,
        "change": 0.1,
        "black": 0.0,
        "frozen": None,
        "reasons": {},
    }
    return JudgedVideo(**(fields | changes))


def test_a_report_without_rules_has_no_such_sheet(make, tmp_path):
    write_workbook(make.content(), tmp_path / "report.xlsx")
    assert "Quality" not in load_workbook(tmp_path / "report.xlsx").sheetnames


def test_classes_and_videos_stand_with_scores_and_reasons_those_left_out_first(make, tmp_path):
    videos = [
        judged("a.mp4"),
        judged("b.mp4", reasons={"min_brightness": "brightness 20 is below 35", "min_width": "width 320 is below 640"}),
        judged("=c.mp4", None, kind="hold"),
    ]
    write_workbook(make.content(quality=videos), tmp_path / "report.xlsx")
    book = load_workbook(tmp_path / "report.xlsx")
    assert book.sheetnames == ["Summary", "Results", "Per exercise", "Confusion", "Samples", "Quality", "Errors", "Run"]

    rows = [[cell for cell in row if cell is not None] for row in book["Quality"].iter_rows(values_only=True)]
    assert rows[1] == ["3 videos judged by their stored frames, 1 left out."]
    start = rows.index(["Class", "Class moves?", "Videos", "Kept", "Left out"])
    assert rows[start + 1 : start + 3] == [["squat", "moves", 2, 1, 1], ["(no class)", "holds", 1, 1, 0]]
    lines = rows[start + 5 :]
    assert lines[0] == [
        *("b.mp4", "squat", "moves", "left out", "brightness 20 is below 35; width 320 is below 640"),
        *(2, 640, 480, 101.5, 80.25, 0.75, 0.1, 0, "–"),
    ]
    assert [line[0] for line in lines] == ["b.mp4", "=c.mp4", "a.mp4"]
    cell = next(cell for row in book["Quality"].iter_rows() for cell in row if cell.value == "=c.mp4")
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
