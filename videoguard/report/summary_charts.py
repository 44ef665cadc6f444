"""The charts of the sheet Summary."""

from dataclasses import dataclass

from videoguard.evaluation.scores import MetricFacts
from videoguard.report import charts
from videoguard.report.cells import Pen
from videoguard.report.content import ReportContent
from videoguard.report.figures import NO_FIGURES, mean_of
from videoguard.report.page import hide_lengths
from videoguard.report.styles import CHART_BAND_COLOURS, model_colour

CHART_ROWS = 18
"""Rows that the charts cover."""

_SPLIT_COLUMN = 6
_LAST_COLUMN = 14


@dataclass(frozen=True, slots=True)
class Tables:
    """Where on the sheet the charted figures stand."""

    metrics: list[MetricFacts]
    charted: int
    """Metrics to show, from the first on."""
    means_row: int
    """First metric of the headline table, whose models' names stand two rows above."""
    statistics_row: int
    """First line of the statistics, of the first model."""
    mean_columns: tuple[int, ...]
    """Column of each model's mean in the headline table."""
    colour_columns: tuple[int, ...]
    """Columns of the counts of green, yellow and red in the statistics."""
    spare_column: int
    """First of the columns that nothing else uses."""


def add_charts(pen: Pen, content: ReportContent, tables: Tables, row: int) -> None:
    """Lay the charts side by side from the row on: the models' means, and the colours of the last model's samples."""
    _add_means(pen, content, tables, row)
    shown = tables.metrics[: tables.charted]
    if any(metric.name in content.bands and mean_of(content.main, metric.name) is not None for metric in shown):
        _add_colours(pen, content, tables, row)


def _add_means(pen: Pen, content: ReportContent, tables: Tables, row: int) -> None:
    chart = charts.bar_chart("Mean score by metric, with 95 % interval", "Metric", "Mean score (best is 1)")
    first, last = tables.means_row, tables.means_row + tables.charted - 1
    shown = tables.metrics[: tables.charted]
    for position, (model, column) in enumerate(zip(content.models, tables.mean_columns, strict=True)):
        colour = model_colour(position, len(content.models))
        charts.add_series(chart, pen.sheet, (tables.means_row - 2, column), (column, first, last), colour)
        spare = tables.spare_column + 2 * position
        found = [model.evaluation.summary.get(metric.name, NO_FIGURES) for metric in shown]
        lengths = [charts.interval_lengths(figures.mean, figures.ci_low, figures.ci_high) for figures in found]
        hide_lengths(pen, model.heading, lengths, (tables.means_row, spare))
        charts.add_intervals(chart, pen.sheet, (spare, first, last), (spare + 1, first, last))
    charts.set_categories(chart, pen.sheet, (1, first, last))
    lowest = min(mean_of(model, metric.name) or 0.0 for model in content.models for metric in shown)
    charts.scale(chart, -1.0 if lowest < 0 else 0.0, 1.0)
    charts.place(chart, pen.sheet, (row, 1), (row + CHART_ROWS - 1, _SPLIT_COLUMN))


def _add_colours(pen: Pen, content: ReportContent, tables: Tables, row: int) -> None:
    title = f"Samples by colour: {content.main.heading}"
    chart = charts.bar_chart(title, "Metric", "Share of scored samples", lying=True, stacked=True)
    first = tables.statistics_row + (len(content.models) - 1) * len(tables.metrics)
    last = first + tables.charted - 1
    for column, colour in zip(tables.colour_columns, CHART_BAND_COLOURS.values(), strict=True):
        charts.add_series(chart, pen.sheet, (tables.statistics_row - 1, column), (column, first, last), colour)
    charts.set_categories(chart, pen.sheet, (1, first, last))
    charts.place(chart, pen.sheet, (row, _SPLIT_COLUMN + 1), (row + CHART_ROWS - 1, _LAST_COLUMN))
