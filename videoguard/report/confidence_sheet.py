"""The sheet Confidence: whether a model is right as often as the probability of its label says."""

from collections.abc import Sequence
from dataclasses import dataclass

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.calibration import Calibration, ReliabilityBin
from videoguard.report import charts
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.page import set_up_print, write_group, write_heading, write_notice
from videoguard.report.styles import Style, model_colour

MODEL_HEADINGS = ("Model", "Samples", "Not scored", "Right", "Mean probability", "Calibration error", "Brier score")
BIN_HEADINGS = ("Samples", "Mean probability", "Right")
"""The columns of each model."""
CHART_TITLE = "Reliability: how often the label is right, by its probability"
ACROSS, UP = "Mean probability of the likeliest label", "Share of labels that are right"
DIAGONAL = "As right as it says"
NOTES = (
    "Each sample's likeliest label with its probability among the known labels, held against the wanted label.",
    "Calibration error: mean distance of probability and share right over the bins, weighted by their samples; 0 is best.",
    "Brier score: mean squared distance of the probability from 1 where the label is right, else from 0; 0 is best.",
)

_FIRST_WIDTH = 36
_CHART_ROWS = 22
_CHART_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Reliability:
    """A model's calibration, as it is shown."""

    heading: str
    colour: str
    """RGB."""
    found: Calibration

    @property
    def points(self) -> list[tuple[float, float]]:
        """Mean probability and share right of each bin that has samples."""
        pairs = [(each.probability, each.accuracy) for each in self.found.bins]
        return [(across, up) for across, up in pairs if across is not None and up is not None]


def reliabilities(content: ReportContent) -> list[Reliability]:
    """Of each model whose labels were scored."""
    colours = [model_colour(position, len(content.models)) for position in range(len(content.models))]
    return [
        Reliability(model.heading, colour, model.evaluation.calibration)
        for model, colour in zip(content.models, colours, strict=True)
        if model.evaluation.calibration is not None
    ]


def bin_words(one: ReliabilityBin) -> str:
    """Which probabilities the bin holds."""
    return f"{one.low:.1f} to {one.high:.1f}"


def write_confidence(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: headline figures, the bins of the models side by side, and the reliability diagram."""
    shown = reliabilities(content)
    columns = max(len(MODEL_HEADINGS), 1 + len(BIN_HEADINGS) * len(shown))
    pen = Pen(sheet, tally, [_FIRST_WIDTH, *[16] * (columns - 1)])
    set_up_print(sheet, None, content.partial)
    sheet.page_setup.fitToHeight = 1
    sheet.sheet_view.showGridLines = False
    row = write_notice(pen, 1, columns, content.partial)
    write_heading(pen, row, "How sure the models are, and how often they are right")
    for place, note in enumerate(NOTES, start=row + 1):
        pen.text(place, 1, note, Style.NOTE)
    models_row = row + len(NOTES) + 2
    row = _write_models(pen, models_row, shown)
    row = _write_bins(pen, row + 2, shown)
    _add_diagram(pen, row + 2, columns + 1, shown, models_row + 1)


def _write_models(pen: Pen, row: int, shown: Sequence[Reliability]) -> int:
    """Write a line a model; return the last row."""
    _write_header(pen, row, MODEL_HEADINGS)
    for line, each in enumerate(shown, start=row + 1):
        pen.text(line, 1, each.heading)
        pen.number(line, 2, each.found.n, Style.COUNT)
        pen.number(line, 3, each.found.unscored, Style.COUNT)
        pen.number(line, 4, each.found.accuracy, Style.SHARE)
        pen.number(line, 5, each.found.probability, Style.SHARE)
        pen.number(line, 6, each.found.calibration_error, Style.SCORE)
        pen.number(line, 7, each.found.brier, Style.SCORE)
    pen.fit_heights(row + 1, row + len(shown))
    return row + len(shown)


def _write_bins(pen: Pen, row: int, shown: Sequence[Reliability]) -> int:
    """Write a line a bin, the models side by side; return the last row."""
    for position, each in enumerate(shown):
        first = 2 + position * len(BIN_HEADINGS)
        write_group(pen, row, first, first + len(BIN_HEADINGS) - 1, each.heading, Style.GROUP)
    _write_header(pen, row + 1, ("Probability", *BIN_HEADINGS * len(shown)))
    bins = [each.found.bins for each in shown]
    for line, one in enumerate(zip(*bins, strict=True), start=row + 2):
        pen.text(line, 1, bin_words(one[0]), Style.CENTRED)
        for position, figures in enumerate(one):
            column = 2 + position * len(BIN_HEADINGS)
            pen.number(line, column, figures.n, Style.COUNT)
            pen.number(line, column + 1, figures.probability, Style.SHARE)
            pen.number(line, column + 2, figures.accuracy, Style.SHARE)
    last = row + 1 + len(bins[0])
    pen.fit_heights(row + 2, last)
    return last


def _add_diagram(pen: Pen, row: int, spare: int, shown: Sequence[Reliability], first_model: int) -> None:
    """Lay the diagram below the tables, its legend named by the lines of the models from `first_model` on.

    The points stand in hidden columns, without the empty bins: a dash among them would spoil the axis.
    """
    chart = charts.scatter_chart(CHART_TITLE, ACROSS, UP)
    charts.add_guide(chart, pen.sheet, DIAGONAL, *_hide_points(pen, row, spare, DIAGONAL, [(0.0, 0.0), (1.0, 1.0)]))
    for position, each in enumerate(shown):
        across, up = _hide_points(pen, row, spare + 2 + 2 * position, each.heading, each.points)
        charts.add_line(chart, pen.sheet, (first_model + position, 1), across, up, each.colour)
    charts.place(chart, pen.sheet, (row, 1), (row + _CHART_ROWS - 1, _CHART_COLUMNS))


def _hide_points(
    pen: Pen, row: int, spare: int, heading: str, points: Sequence[tuple[float, float]]
) -> tuple[charts.Cells, charts.Cells]:
    """Write points into two hidden columns; return their cells."""
    for offset, words in enumerate(("probability", "share right")):
        pen.text(row, spare + offset, f"{heading}: {words}", Style.UNSEEN)
        pen.sheet.column_dimensions[get_column_letter(spare + offset)].hidden = True
        for line, point in enumerate(points, start=row + 1):
            pen.number(line, spare + offset, point[offset], Style.UNSEEN)
    last = row + len(points)
    return (spare, row + 1, last), (spare + 1, row + 1, last)


def _write_header(pen: Pen, row: int, headings: Sequence[str]) -> None:
    for column, heading in enumerate(headings, start=1):
        pen.text(row, column, heading, Style.HEADER)
    pen.sheet.row_dimensions[row].height = 1.5 * LINE_HEIGHT
