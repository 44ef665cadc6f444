"""The sheet Errors: everything that was left out, failed or could not be scored, first by reason, then by name."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.figures import unscored_reasons
from videoguard.report.page import set_up_print, write_heading, write_notice
from videoguard.report.reasons import rules_of
from videoguard.report.styles import Style
from videoguard.report.wording import metrics_of

MOST_REASONS = 100
"""Most lines of the table by reason; rarer ones are summed up in one line."""

_REASONS = ("What happened", "Model", "Metrics", "How many", "Reason")
_NAMES = ("What happened", "Model", "Video", "Sample", "Reason")
_WIDTHS = (24, 26, 38, 26, 76)


class Mishap(NamedTuple):
    """One thing that went wrong, by name."""

    what: str
    model: str
    video: str
    sample: str
    reason: str


class MishapCount(NamedTuple):
    """How often something went wrong for one reason."""

    what: str
    model: str
    metrics: str
    """Those that are unscored; empty where no metric is meant."""
    times: int
    reason: str


def mishaps_of(content: ReportContent) -> list[Mishap]:
    """Everything that was left out or failed, one by one."""
    return list(_mishaps(content))


def count_mishaps(content: ReportContent) -> list[MishapCount]:
    """What went wrong by reason: what was left out or failed, then what could not be scored; the most frequent first.

    Reasons that differ only in the values they name are one.
    """
    mishaps = mishaps_of(content)
    rules = rules_of(mishap.reason for mishap in mishaps)
    counts = Counter((mishap.what, mishap.model, rules[mishap.reason]) for mishap in mishaps)
    found = [MishapCount(what, model, "", count, reason) for (what, model, reason), count in counts.most_common()]
    titles = {metric.name: metric.title for metric in metrics_of(content.models)}
    for model in content.models:
        for unscored in unscored_reasons(model, titles):
            words = ", ".join(titles[name] for name in unscored.metrics)
            found.append(MishapCount("Not scored", model.heading, words, unscored.samples, unscored.reason))
    return found


def in_short(content: ReportContent) -> str:
    """One sentence about what failed."""
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


def write_errors(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet, or the statement that nothing failed."""
    pen = Pen(sheet, tally, _WIDTHS)
    sheet.sheet_view.showGridLines = False
    row = write_notice(pen, 1, len(_WIDTHS), content.partial)
    write_heading(pen, row, "What failed, and why")
    pen.text(row + 1, 1, in_short(content), Style.SUBTITLE)
    row += 3
    counts = count_mishaps(content)
    if counts:
        row = _write_counts(pen, counts, row)
    mishaps = mishaps_of(content)
    set_up_print(sheet, row + 1 if mishaps else None, content.partial)
    if mishaps:
        _write_mishaps(pen, mishaps, row)


def _mishaps(content: ReportContent) -> Iterator[Mishap]:
    for quarantined in content.quarantine:
        what = "Video quarantined" if quarantined.video else "Sample quarantined"
        yield Mishap(what, "", quarantined.video, quarantined.sample, quarantined.reason)
    for problem in content.row_problems:
        yield Mishap("Manifest row unreadable", "", "", "", problem)
    for model in content.models:
        for row in model.rows:
            if row.status == "failed":
                yield Mishap("Answer failed", model.heading, row.video or "", row.id, row.error or "no reason recorded")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _write_counts(pen: Pen, counts: Sequence[MishapCount], row: int) -> int:
    """Write the table by reason; return the row after a gap."""
    write_heading(pen, row, "By reason")
    _write_header(pen, row + 1, _REASONS)
    for line, count in enumerate(counts[:MOST_REASONS], start=row + 2):
        for column, text in enumerate((count.what, count.model, count.metrics), start=1):
            pen.text(line, column, text)
        pen.number(line, 4, count.times, Style.COUNT)
        pen.text(line, 5, count.reason)
    end = row + 2 + min(len(counts), MOST_REASONS)
    pen.fit_heights(row + 2, end - 1)
    rest = counts[MOST_REASONS:]
    if rest:
        words = f"And {len(rest):,} more reasons, {sum(count.times for count in rest):,} times in all."
        pen.text(end, 1, words, Style.NOTE)
        end += 1
    return end + 1


def _write_mishaps(pen: Pen, mishaps: Sequence[Mishap], row: int) -> None:
    write_heading(pen, row, "One by one")
    header_row = row + 1
    _write_header(pen, header_row, _NAMES)
    for line, mishap in enumerate(mishaps, start=header_row + 1):
        for column, text in enumerate(mishap, start=1):
            pen.text(line, column, text)
    last_row = header_row + len(mishaps)
    pen.fit_heights(header_row + 1, last_row)
    pen.sheet.auto_filter.ref = f"A{header_row}:{get_column_letter(len(_NAMES))}{last_row}"


def _write_header(pen: Pen, row: int, headings: Sequence[str]) -> None:
    for column, heading in enumerate(headings, start=1):
        pen.text(row, column, heading, Style.HEADER)
    pen.sheet.row_dimensions[row].height = 1.5 * LINE_HEIGHT
