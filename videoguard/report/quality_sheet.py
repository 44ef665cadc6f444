"""The sheet Quality: every video with its scores, and why it was left out where it was."""

from collections.abc import Sequence

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.quality.judging import JudgedVideo, count_by_class
from videoguard.quality.tables import NO_CLASS, decision
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.page import set_up_print, write_heading, write_notice
from videoguard.report.styles import Style

_HEADINGS = (
    *("Video", "Class", "Class moves?", "Decision", "Reason", "Samples", "Width", "Height", "Brightness", "Sharpness"),
    *("Motion", "Pixels changed", "Black frames", "Frozen frames"),
)
_WIDTHS = (40, 24, 15, 12, 60, 11, 10, 10, 13, 13, 11, 17, 15, 16)
_CLASS_HEADINGS = ("Class", "Class moves?", "Videos", "Kept", "Left out")


def write_quality(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: the classes in short, then one line a video, those that were left out first."""
    videos = content.quality
    assert videos is not None
    pen = Pen(sheet, tally, _WIDTHS)
    row = write_notice(pen, 1, len(_HEADINGS), content.partial)
    write_heading(pen, row, "Which videos are good enough, and why others are not")
    left_out = sum(not video.kept for video in videos)
    pen.text(row + 1, 1, f"{len(videos):,} videos judged by their stored frames, {left_out:,} left out.", Style.SUBTITLE)
    row = _write_classes(pen, row + 3, videos) + 2
    set_up_print(sheet, row, content.partial)
    _write_header(pen, row, _HEADINGS)
    listed = sorted(videos, key=lambda video: (video.kept, video.video))
    for line, video in enumerate(listed, start=row + 1):
        _write_video(pen, line, video)
    pen.fit_heights(row + 1, row + len(listed))
    sheet.auto_filter.ref = f"A{row}:{get_column_letter(len(_HEADINGS))}{row + len(listed)}"


def _write_classes(pen: Pen, row: int, videos: Sequence[JudgedVideo]) -> int:
    """Write one line a class; return the last row."""
    _write_header(pen, row, _CLASS_HEADINGS)
    kinds = {video.label: video.kind for video in videos}
    for label, counts in count_by_class(videos).items():
        row += 1
        pen.text(row, 1, label or NO_CLASS)
        pen.text(row, 2, _moves(kinds[label] == "motion"))
        for column, count in enumerate((counts["videos"], counts["kept"], counts["videos"] - counts["kept"]), start=3):
            pen.number(row, column, count, Style.COUNT)
    return row


def _write_header(pen: Pen, row: int, headings: Sequence[str]) -> None:
    for column, heading in enumerate(headings, start=1):
        pen.text(row, column, heading, Style.HEADER)
    pen.sheet.row_dimensions[row].height = 1.5 * LINE_HEIGHT


def _write_video(pen: Pen, row: int, video: JudgedVideo) -> None:
    moves = _moves(video.kind == "motion")
    for column, text in enumerate((video.video, video.label, moves, decision(video), _reason(video)), start=1):
        pen.text(row, column, text)
    for column, count in enumerate((video.samples, video.width, video.height), start=6):
        pen.number(row, column, count, Style.COUNT)
    for column, score in enumerate((video.brightness, video.sharpness), start=9):
        pen.number(row, column, score, Style.SCORE)
    for column, share in enumerate((video.motion, video.change, video.black, video.frozen), start=11):
        pen.number(row, column, share, Style.SHARE)


def _moves(moves: bool) -> str:
    return "moves" if moves else "holds"


def _reason(video: JudgedVideo) -> str:
    return "; ".join(video.reasons.values())
