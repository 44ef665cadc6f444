"""What every sheet shares: print set-up, headings, the notice of a partial run, and band colours as rules."""

from collections.abc import Sequence

from openpyxl.cell import Cell
from openpyxl.comments import Comment
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Font, PatternFill
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.config import Band
from videoguard.evaluation.scores import MetricFacts
from videoguard.inference.rows import AnswerRow
from videoguard.report.cells import LINE_HEIGHT, Pen, clean_text
from videoguard.report.styles import BAND_COLOURS, Style, score_style
from videoguard.report.wording import band_words, is_yes_no

_A4 = 9
_MARGINS = PageMargins(left=0.4, right=0.4, top=0.55, bottom=0.55, header=0.25, footer=0.25)


def set_up_print(sheet: Worksheet, header_row: int | None, partial: str | None) -> None:
    """Print landscape on A4, as wide as one page, with the header row on each page."""
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = _A4
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins = _MARGINS
    header, footer = sheet.oddHeader, sheet.oddFooter
    assert header is not None
    assert footer is not None
    footer.left.text = "&A"
    footer.right.text = "Page &P of &N"
    if partial is not None:
        header.center.text = "Partial run: not for comparison"
    if header_row is not None:
        sheet.print_title_rows = f"{header_row}:{header_row}"


def write_notice(pen: Pen, row: int, columns: int, partial: str | None) -> int:
    """Say across the sheet that the run is partial; return the next free row, which is `row` for a full run."""
    if partial is None:
        return row
    for column in range(2, columns + 1):
        pen.sheet.cell(row, column).style = Style.NOTICE
    pen.text(row, 1, f"Partial run: {partial}", Style.NOTICE)
    pen.sheet.row_dimensions[row].height = 1.6 * LINE_HEIGHT
    return row + 1


def write_heading(pen: Pen, row: int, text: str) -> None:
    """Head a part of the sheet."""
    pen.text(row, 1, text, Style.HEADING)
    pen.sheet.row_dimensions[row].height = 1.6 * LINE_HEIGHT


def write_group(pen: Pen, row: int, first: int, last: int, text: str | None, style: Style) -> None:
    """Write one text over several columns."""
    for column in range(first + 1, last + 1):
        pen.sheet.cell(row, column).style = style
    pen.text(row, first, text, style, span=last - first + 1)
    pen.sheet.merge_cells(start_row=row, end_row=row, start_column=first, end_column=last)


def write_answer(pen: Pen, row: int, column: int, answered: AnswerRow | None) -> None:
    """Write a model's answer; one that is empty says so, one that is absent is a dash."""
    if answered is not None and answered.answer == "":
        pen.text(row, column, "(empty answer)", Style.NOTHING)
    else:
        pen.text(row, column, None if answered is None else answered.answer)


def write_score(pen: Pen, row: int, column: int, metric: MetricFacts, score: float | None) -> None:
    """Write a sample's score: what is right or wrong as yes or no."""
    if is_yes_no(metric) and score in (0.0, 1.0):
        pen.text(row, column, "yes" if score else "no", Style.CENTRED)
    else:
        pen.number(row, column, score, score_style(metric))


def hide_lengths(pen: Pen, model: str, lengths: Sequence[tuple[float, float]], corner: tuple[int, int]) -> None:
    """Write how far intervals reach below and above their means, into hidden columns: charts draw lengths, not ends."""
    row, column = corner
    for offset, words in enumerate(("Interval below the mean", "Interval above the mean")):
        pen.text(row - 1, column + offset, f"{words}: {model}", Style.UNSEEN)
        pen.sheet.column_dimensions[get_column_letter(column + offset)].hidden = True
        for line, ends in enumerate(lengths, start=row):
            pen.number(line, column + offset, ends[offset], Style.UNSEEN)


def explain_metric(cell: Cell, metric: MetricFacts, band: Band | None) -> None:
    """Attach to a heading what the metric is called in files, and its colour thresholds."""
    about = f"{metric.about}\n" if metric.about else ""
    words = f"{about}{metric.name} in files and in MLflow."
    if band is not None:
        words += f"\nColours: {band_words(metric, band)}."
    explain(cell, words)


def explain(cell: Cell, words: str) -> None:
    """Attach a comment."""
    cell.comment = Comment(clean_text(words).text, "Video-Guard", height=70, width=260)


def colour_metric(sheet: Worksheet, cells: str, metric: MetricFacts, band: Band | None) -> None:
    """Colour a column of samples' scores, as `write_score` writes them."""
    if band is not None:
        colour_scores(sheet, cells, band)
    if is_yes_no(metric):
        colour_yes_no(sheet, cells)


def colour_scores(sheet: Worksheet, cells: str, band: Band) -> None:
    """Colour a range of scores by the band, as rules that follow the cells when they are sorted or edited.

    Only numbers are coloured: a spreadsheet ranks text above and an empty cell below every threshold.
    """
    first = cells.partition(":")[0]
    good, poor = ("<=", ">") if band.lower_is_better else (">=", "<")
    conditions = {
        "green": f"AND(ISNUMBER({first}),{first}{good}{band.green!r})",
        "yellow": f"AND(ISNUMBER({first}),{first}{good}{band.yellow!r})",
        "red": f"AND(ISNUMBER({first}),{first}{poor}{band.yellow!r})",
    }
    for colour, condition in conditions.items():
        _add_rule(sheet, cells, condition, colour)


def colour_yes_no(sheet: Worksheet, cells: str) -> None:
    """Colour a range of answers: yes green, no red."""
    first = cells.partition(":")[0]
    _add_rule(sheet, cells, f'{first}="yes"', "green")
    _add_rule(sheet, cells, f'{first}="no"', "red")


def _add_rule(sheet: Worksheet, cells: str, condition: str, colour: str) -> None:
    fill, ink = BAND_COLOURS[colour]
    looks = DifferentialStyle(font=Font(color=ink), fill=PatternFill(bgColor=fill, fill_type="solid"))
    rule = Rule(type="expression", formula=[condition], dxf=looks, stopIfTrue=True)
    sheet.conditional_formatting.add(cells, rule)
