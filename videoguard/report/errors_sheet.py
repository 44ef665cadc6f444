"""The sheet Errors: everything that was left out, failed or could not be scored, by name and reason."""

from collections.abc import Iterator
from typing import NamedTuple

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.figures import unscored_reasons
from videoguard.report.page import set_up_print, write_heading, write_notice
from videoguard.report.styles import Style
from videoguard.report.wording import metric_words, metrics_of

NAME = "Errors"

_HEADINGS = ("What happened", "Model", "Video", "Sample", "Metrics", "Samples", "Reason")
_WIDTHS = (24, 26, 34, 20, 36, 10, 72)


class _Mishap(NamedTuple):
    what: str
    reason: str
    model: str = ""
    video: str = ""
    sample: str = ""
    metrics: str = ""
    samples: int | None = None


def write_errors(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: one line a mishap, or the statement that there was none."""
    pen = Pen(sheet, tally, _WIDTHS)
    mishaps = list(_mishaps(content))
    row = write_notice(pen, 1, len(_HEADINGS), content.partial)
    write_heading(pen, row, "What failed, and why")
    pen.text(row + 1, 1, _in_short(content), Style.SUBTITLE)
    if not mishaps:
        set_up_print(sheet, None, content.partial)
        sheet.sheet_view.showGridLines = False
        return
    header_row = row + 3
    set_up_print(sheet, header_row, content.partial)
    for column, heading in enumerate(_HEADINGS, start=1):
        pen.text(header_row, column, heading, Style.HEADER)
    sheet.row_dimensions[header_row].height = 1.5 * LINE_HEIGHT
    for line, mishap in enumerate(mishaps, start=header_row + 1):
        _write_line(pen, line, mishap)
    pen.fit_heights(header_row + 1, header_row + len(mishaps))
    sheet.freeze_panes = f"A{header_row + 1}"
    sheet.auto_filter.ref = f"A{header_row}:{get_column_letter(len(_HEADINGS))}{header_row + len(mishaps)}"


def _mishaps(content: ReportContent) -> Iterator[_Mishap]:
    for quarantined in content.quarantine:
        what = "Video quarantined" if quarantined.video else "Sample quarantined"
        yield _Mishap(what, quarantined.reason, video=quarantined.video, sample=quarantined.sample)
    for problem in content.row_problems:
        yield _Mishap("Manifest row unreadable", problem)
    for model in content.models:
        for row in model.rows:
            if row.status == "failed":
                reason = row.error or "no reason recorded"
                yield _Mishap("Answer failed", reason, model.heading, row.video or "", row.id, samples=1)
    metrics = metrics_of(content.models)
    for model in content.models:
        for unscored in unscored_reasons(model, metrics):
            words = ", ".join(map(metric_words, unscored.metrics))
            yield _Mishap("Not scored", unscored.reason, model.heading, metrics=words, samples=unscored.samples)


def _in_short(content: ReportContent) -> str:
    failed = sum(row.status == "failed" for model in content.models for row in model.rows)
    if not content.quarantine and not content.row_problems and not failed:
        return "Nothing failed: every video was read, every manifest row understood, every sample answered."
    rows = sum(not quarantined.video for quarantined in content.quarantine)
    parts = (
        _counted(len(content.quarantine) - rows, "video quarantined", "videos quarantined"),
        *([_counted(rows, "sample quarantined", "samples quarantined")] if rows else []),
        _counted(len(content.row_problems), "manifest row unreadable", "manifest rows unreadable"),
        _counted(failed, "answer failed", "answers failed"),
    )
    return ", ".join(parts) + ". What failed is in no mean."


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _write_line(pen: Pen, row: int, mishap: _Mishap) -> None:
    texts = (mishap.what, mishap.model, mishap.video, mishap.sample, mishap.metrics)
    for column, text in enumerate(texts, start=1):
        pen.text(row, column, text)
    if mishap.samples is None:
        pen.text(row, 6, "")
    else:
        pen.number(row, 6, mishap.samples, Style.COUNT)
    pen.text(row, 7, mishap.reason)
