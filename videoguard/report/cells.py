"""Cells that are safe to open: text stays text, numbers are finite, nothing is longer than a spreadsheet can hold."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openpyxl.cell import Cell
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.report.styles import WRAPPED, Style
from videoguard.report.wording import finite

LONGEST_TEXT = 32_767
"""Most UTF-16 code units of a cell: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3"""
MOST_LINKS = 65_530
"""Most hyperlinks of a sheet, by the same source; Excel repairs a file that has more."""
NOTHING = "–"
"""Stands where there is no value, so that it is told from zero and from an empty text."""
LINE_HEIGHT = 13.5
"""Height of a line of the tables' text, points."""
TALLEST_LINES = 24
"""Most lines that a row shows of a long text; the cell holds all of it. Excel allows 409 points."""

_PADDING = 2.0
# Calibri 10 in widths that are counted in digits of Calibri 11; words that do not fit leave room at the ends of lines.
_CHARACTERS_PER_WIDTH = 1.15
_FIRST_WIDE = "\u2e80"
_TALLER = 1.2
# Code points that XML 1.0 cannot carry, https://www.w3.org/TR/xml/#charsets. Carriage returns are made line feeds before.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LINE_END = re.compile("\r\n?")
# The file format reads _x0041_ as the letter A (ECMA-376 part 1, ST_Xstring), so that a literal one needs its own escape.
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
# The full-width signs start a formula in East Asian editions of Excel.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class CleanText(NamedTuple):
    """Text as a cell holds it, and what had to be done to it."""

    text: str
    is_formula_like: bool
    removed: int
    """Characters taken out because the file format cannot carry them."""
    is_cut: bool


@dataclass(slots=True)
class Tally:
    """What was done to the text of a whole workbook."""

    escaped: int = 0
    removed: int = 0
    cut: int = 0


def clean_text(raw: str) -> CleanText:
    """The text that a cell can hold, as close to `raw` as the format allows.

    Line ends become line feeds, as any XML reader makes them; a text over the longest length is cut and says so at its end.
    """
    legal, removed = legal_text(raw)
    text = _LOOKS_ESCAPED.sub("_x005F_", legal)
    is_cut = _units(text) > LONGEST_TEXT
    if is_cut:
        text = _cut(text, f" … [cut: {len(raw):,} characters]")
    return CleanText(text, raw.startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS), removed, is_cut)


def legal_text(raw: str) -> tuple[str, int]:
    """The text without what XML and HTML cannot carry, its line ends as line feeds; and how many characters went."""
    return _ILLEGAL.subn("", _LINE_END.sub("\n", raw))


class Pen:
    """Writes the cells of one sheet of columns as wide as told (in characters), and counts what it had to change."""

    def __init__(self, sheet: Worksheet, tally: Tally, widths: Sequence[float]) -> None:
        self.sheet = sheet
        self._tally = tally
        self._widths = widths
        self._lines: defaultdict[int, float] = defaultdict(lambda: 1.0)
        self._links = 0
        for column, width in enumerate(widths, start=1):
            sheet.column_dimensions[get_column_letter(column)].width = width

    def text(self, row: int, column: int, raw: str | None, style: Style = Style.TEXT, span: int = 1) -> Cell:
        """Write text that no program runs, into a cell that spans so many columns; None is shown as a dash."""
        if raw is None:
            return self._plain(row, column, NOTHING, Style.NOTHING)
        clean = clean_text(raw)
        self._tally.removed += clean.removed
        self._tally.cut += clean.is_cut
        # A cell without characters carries no text element, which readers take for no cell at all.
        cell = self._plain(row, column, clean.text or None, style)
        if style in WRAPPED:
            self._lines[row] = max(self._lines[row], _lines(clean.text, sum(self._widths[column - 1 : column - 1 + span])))
        if clean.is_formula_like:
            self._tally.escaped += 1
            # Keeps it text when somebody edits the cell, not only when the file is opened.
            cell.quotePrefix = True
        return cell

    def number(self, row: int, column: int, value: float | None, style: Style) -> Cell:
        """Write a finite number; what is absent or not finite is shown as a dash, never as zero."""
        known = finite(value)
        if known is None:
            return self._plain(row, column, NOTHING, Style.NOTHING)
        cell = self._cell(row, column)
        cell.value = known
        cell.style = style
        return cell

    def link(self, row: int, column: int, raw: str, target: str | None) -> Cell:
        """Write text that opens `target`; plain text where there is no target or the sheet has as many as it can hold."""
        if target is None or not raw or self._links >= MOST_LINKS:
            return self.text(row, column, raw)
        cell = self.text(row, column, raw, Style.LINK)
        cell.hyperlink = target
        self._links += 1
        return cell

    def fit_heights(self, first: int, last: int) -> None:
        """Make rows as tall as their wrapped texts, within reason: not every program does so when it opens the file."""
        for row in range(first, last + 1):
            self.sheet.row_dimensions[row].height = LINE_HEIGHT * min(self._lines[row], TALLEST_LINES) + _PADDING

    def _plain(self, row: int, column: int, text: str | None, style: Style) -> Cell:
        cell = self._cell(row, column)
        if text is not None:
            cell.value = text
            # openpyxl takes "=1+1" for a formula and "#N/A" for an error.
            cell.data_type = "s"
        cell.style = style
        return cell

    def _cell(self, row: int, column: int) -> Cell:
        cell = self.sheet.cell(row, column)
        assert isinstance(cell, Cell)
        return cell


def _lines(text: str, width: float) -> float:
    """Height of the text in a column, in lines; East Asian characters and most pictographs are as wide as two others.

    Their fonts have taller lines, too.
    """
    if text.isascii() and len(text) < width / 2:
        return 1 + text.count("\n")
    wide = 0 if text.isascii() else sum(character >= _FIRST_WIDE for character in text)
    fitting = width * _CHARACTERS_PER_WIDTH
    share = wide / len(text) if text else 0.0
    lines = sum(max(1, math.ceil(len(line) * (1 + share) / fitting)) for line in text.split("\n"))
    return lines * _TALLER if wide else lines


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2 if len(text) * 2 > LONGEST_TEXT else len(text)


def _cut(text: str, mark: str) -> str:
    room = LONGEST_TEXT - len(mark)
    # A character outside the basic plane that the cut would halve is left out whole.
    return text.encode("utf-16-le")[: room * 2].decode("utf-16-le", errors="ignore") + mark
