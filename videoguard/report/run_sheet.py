"""The sheet Run: how the figures came about, and how to get them again."""

from collections.abc import Mapping

from openpyxl.worksheet.worksheet import Worksheet

from videoguard.report.cells import LONGEST_TEXT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.judging import judge_facts
from videoguard.report.links import web_link
from videoguard.report.page import set_up_print, write_heading, write_notice


def write_run(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: the facts by section, and last what writing the workbook itself did to the texts."""
    pen = Pen(sheet, tally, (44, 100))
    set_up_print(sheet, None, content.partial)
    sheet.sheet_view.showGridLines = False
    row = write_notice(pen, 1, 2, content.partial)
    for name, facts in (judge_facts(content) | content.facts.sections).items():
        row = _write_section(pen, row, name, facts)
    _write_section(pen, row, "This workbook", _changes(tally))


def _write_section(pen: Pen, row: int, name: str, facts: Mapping[str, str]) -> int:
    """Write a heading and its lines; return the row after a gap."""
    write_heading(pen, row, name)
    for line, (fact, value) in enumerate(facts.items(), start=row + 1):
        pen.text(line, 1, fact)
        pen.link(line, 2, value, web_link(value))
    pen.fit_heights(row + 1, row + len(facts))
    return row + len(facts) + 2


def _changes(tally: Tally) -> dict[str, str]:
    return {
        "Cells that look like a formula, kept as text": f"{tally.escaped:,}",
        "Characters removed that the format cannot carry": f"{tally.removed:,}",
        f"Cells cut at {LONGEST_TEXT:,} characters": f"{tally.cut:,}",
    }
