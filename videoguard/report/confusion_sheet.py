"""The sheet Confusion: what is taken for what, as a heat map and as a list of the most frequent mistakes."""

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.scores import Classification, MetricFacts
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.confusion import Matrix, mistakes_of, shown_matrix
from videoguard.report.content import ReportContent
from videoguard.report.page import set_up_print, write_group, write_heading, write_notice
from videoguard.report.styles import Style, heat_style
from videoguard.report.wording import metrics_of

MOST_CLASSES = 25
"""Most classes of a heat map; more cannot be read on a page."""
MOST_MISTAKES = 30
"""Most mistakes of the list."""

_LEGEND = "A line is a wanted class, a column what the answer names. Blue is right, amber wrong; darker is a larger share."
_FIGURES = ("Samples", "Accuracy", "Precision", "F1")
_LEAST_COLUMNS = 6
_LIST_SPAN = 3


def has_classes(content: ReportContent) -> bool:
    """Whether a metric of the last model tells classes apart."""
    return any(found.classes for found in content.main.evaluation.classifications.values())


def write_confusion(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: for each metric that tells classes apart, the heat map and the mistakes of the last model."""
    found = {name: each for name, each in content.main.evaluation.classifications.items() if each.classes}
    matrices = {name: shown_matrix(each, MOST_CLASSES) for name, each in found.items()}
    columns = max(_LEAST_COLUMNS, *(len(matrix.columns) for matrix in matrices.values()))
    pen = Pen(sheet, tally, [28, *[7.5] * columns, *[11] * len(_FIGURES)])
    sheet.sheet_view.showGridLines = False
    set_up_print(sheet, None, content.partial)
    row = write_notice(pen, 1, 1 + columns + len(_FIGURES), content.partial)
    facts = {metric.name: metric for metric in metrics_of(content.models)}
    for name, each in found.items():
        metric = facts.get(name, MetricFacts(name=name, title=name))
        row = _write_head(pen, content, metric, each, row)
        row = _write_matrix(pen, matrices[name], row)
        row = _write_mistakes(pen, each, row)


def _write_head(pen: Pen, content: ReportContent, metric: MetricFacts, found: Classification, row: int) -> int:
    write_heading(pen, row, f"{metric.title}: what was taken for what")
    pen.text(row + 1, 1, _in_short(content, found), Style.SUBTITLE)
    pen.text(row + 2, 1, _LEGEND, Style.NOTE)
    if len(found.classes) > MOST_CLASSES:
        left = f"The {MOST_CLASSES} classes with the most mistakes, of {len(found.classes):,}"
        pen.text(row + 3, 1, f"{left}; the sheet {content.title_of('per_exercise')} has all.", Style.NOTE)
        return row + 5
    return row + 4


def _in_short(content: ReportContent, found: Classification) -> str:
    noun = "sample" if found.n == 1 else "samples"
    words = f"{content.main.heading}: {found.n:,} {noun}"
    if found.accuracy is not None and found.macro_f1 is not None:
        words += f", {found.accuracy:.1%} right, macro-F1 {found.macro_f1:.3f}"
    return words + (f"; {found.unscored:,} unscored, in no cell." if found.unscored else ".")


def _write_matrix(pen: Pen, matrix: Matrix, row: int) -> int:
    """Write the heat map; return the row after a gap."""
    pen.text(row, 1, "Wanted", Style.HEADER)
    for column, words in enumerate(matrix.columns, start=2):
        pen.text(row, column, words, Style.TURNED)
    first_figure = 2 + len(matrix.columns)
    for column, words in enumerate(_FIGURES, start=first_figure):
        pen.text(row, column, words, Style.HEADER)
        letter = get_column_letter(column)
        pen.sheet.column_dimensions[letter].width = 11
    longest = max(len(words) for words in matrix.columns)
    pen.sheet.row_dimensions[row].height = min(max(4 * LINE_HEIGHT, 5.6 * longest + 10), 200)
    for line, figures in enumerate(matrix.lines, start=row + 1):
        pen.text(line, 1, figures.label)
        for column, answered in enumerate(matrix.columns, start=2):
            count = matrix.counts.get((figures.label, answered), 0)
            style = heat_style(count / figures.wanted, right=answered == figures.label)
            pen.number(line, column, count, style)
        pen.number(line, first_figure, figures.wanted, Style.COUNT)
        pen.number(line, first_figure + 1, figures.accuracy, Style.SHARE)
        pen.number(line, first_figure + 2, figures.precision, Style.SHARE)
        pen.number(line, first_figure + 3, figures.f1, Style.SCORE)
    pen.fit_heights(row + 1, row + len(matrix.lines))
    return row + len(matrix.lines) + 2


def _write_mistakes(pen: Pen, found: Classification, row: int) -> int:
    """Write the list; return the row after a gap."""
    mistakes = mistakes_of(found)
    write_heading(pen, row, "Most frequent mistakes" if mistakes else "No mistake was made")
    if not mistakes:
        return row + 2
    wanted = {figures.label: figures.wanted for figures in found.classes}
    pen.text(row + 1, 1, "Wanted", Style.HEADER)
    write_group(pen, row + 1, 2, 1 + _LIST_SPAN, "Named instead", Style.HEADER)
    pen.text(row + 1, 2 + _LIST_SPAN, "Samples", Style.HEADER)
    write_group(pen, row + 1, 3 + _LIST_SPAN, 4 + _LIST_SPAN, "Of the wanted", Style.HEADER)
    pen.sheet.row_dimensions[row + 1].height = 1.5 * LINE_HEIGHT
    shown = mistakes[:MOST_MISTAKES]
    for line, cell in enumerate(shown, start=row + 2):
        pen.text(line, 1, cell.wanted)
        write_group(pen, line, 2, 1 + _LIST_SPAN, cell.answered, Style.TEXT)
        pen.number(line, 2 + _LIST_SPAN, cell.count, Style.COUNT)
        pen.sheet.merge_cells(start_row=line, end_row=line, start_column=3 + _LIST_SPAN, end_column=4 + _LIST_SPAN)
        pen.number(line, 3 + _LIST_SPAN, cell.count / wanted[cell.wanted], Style.SHARE)
    end = row + 2 + len(shown)
    pen.fit_heights(row + 2, end - 1)
    if len(mistakes) > len(shown):
        more = sum(cell.count for cell in mistakes[len(shown) :])
        pen.text(end, 1, f"And {len(mistakes) - len(shown):,} more kinds of mistake, in {more:,} samples.", Style.NOTE)
    return end + 2
