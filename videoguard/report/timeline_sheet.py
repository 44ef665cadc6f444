"""The sheet Timeline: wanted and answered entries beside each other."""

from itertools import islice

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.page import colour_yes_no, set_up_print, write_heading, write_notice
from videoguard.report.styles import Style
from videoguard.report.timeline import MOST_ENTRIES, EntryPair, entry_pairs

_HEADINGS = ("Sample", "Time", "Wanted event", "Wanted sentiment", "Answered event", "Answered sentiment", "Same sentiment?")
_WIDTHS = (20, 12, 50, 14, 50, 14, 13)


def write_timeline(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: one line an entry."""
    pen = Pen(sheet, tally, _WIDTHS)
    sheet.sheet_view.showGridLines = False
    pairs = entry_pairs(content)
    shown = list(islice(pairs, MOST_ENTRIES))
    row = write_notice(pen, 1, len(_HEADINGS), content.partial)
    write_heading(pen, row, f"Timelines of {content.main.heading}, entry by entry")
    pen.text(row + 1, 1, _note(len(shown), sum(1 for _ in pairs)), Style.NOTE)
    header_row = row + 2
    set_up_print(sheet, header_row, content.partial)
    for column, words in enumerate(_HEADINGS, start=1):
        pen.text(header_row, column, words, Style.HEADER)
    sheet.row_dimensions[header_row].height = 2.5 * LINE_HEIGHT
    for line, pair in enumerate(shown, start=header_row + 1):
        _write_pair(pen, line, pair)
    last_row = header_row + max(len(shown), 1)
    pen.fit_heights(header_row + 1, header_row + len(shown))
    sheet.freeze_panes = f"A{header_row + 1}"
    sheet.auto_filter.ref = f"A{header_row}:{get_column_letter(len(_HEADINGS))}{last_row}"
    colour_yes_no(sheet, f"G{header_row + 1}:G{last_row}")


def _note(shown: int, left: int) -> str:
    if left:
        return f"The first {shown:,} of {shown + left:,} entries; the answers in full are in Results."
    return f"{shown:,} entries. Wanted and answered ones belong together by their time; a dash is an entry that is lacking."


def _write_pair(pen: Pen, row: int, pair: EntryPair) -> None:
    known = pair.wanted or pair.answered
    assert known is not None
    pen.text(row, 1, pair.sample)
    pen.text(row, 2, known.time, Style.CENTRED)
    for column, entry in ((3, pair.wanted), (5, pair.answered)):
        pen.text(row, column, None if entry is None else entry.event)
        pen.text(row, column + 1, None if entry is None else entry.sentiment, Style.CENTRED)
    same = pair.is_same_sentiment
    pen.text(row, 7, None if same is None else "yes" if same else "no", Style.CENTRED)
