"""The sheet Per exercise: where each model is strong and where it is weak."""

from collections import Counter

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.scores import MetricFacts, MetricSummary
from videoguard.report import charts
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.figures import NO_FIGURES, scored_metrics, side_by_side
from videoguard.report.page import colour_scores, explain_metric, set_up_print, write_group, write_heading, write_notice
from videoguard.report.styles import Style, model_colour, score_style
from videoguard.report.wording import EXERCISE, finite, is_unit, is_yes_no, metrics_of

_MOST_CHARTED = 15


def write_exercises(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: a chart, then one line an exercise, the weakest of the last model first."""
    metrics = _ordered(scored_metrics(content.models) or metrics_of(content.models))
    samples = Counter(line.known.label for line in side_by_side(content.models))
    unlabelled = samples.pop(None, 0)
    labels = _weakest_first(content, metrics, samples)
    columns = 2 + len(content.models) * (1 + len(metrics))
    pen = Pen(sheet, tally, [26, 10, *[13] * (columns - 2)])
    sheet.sheet_view.showGridLines = False

    row = write_notice(pen, 1, columns, content.partial)
    write_heading(pen, row, "Scores per exercise")
    row = _write_notes(pen, row + 1, content.main.heading, metrics if labels else [], unlabelled)
    if not labels or not metrics:
        set_up_print(sheet, None, content.partial)
        return
    scored = sum(_has_score(content, label, metrics[0].name) for label in labels)
    charted = min(scored, _MOST_CHARTED) if is_unit(metrics[0]) else 0
    chart_rows = 8 + round(charted * (0.6 + 0.5 * len(content.models))) if charted else 0
    header_row = row + chart_rows + 3
    set_up_print(sheet, header_row, content.partial)
    _write_table(pen, content, metrics, labels, samples, header_row)
    if charted:
        _add_chart(sheet, content, metrics, (charted, len(labels)), header_row, (row + 1, row + chart_rows))


def _ordered(metrics: list[MetricFacts]) -> list[MetricFacts]:
    """The share of exercises that were named right before the other metrics."""
    return sorted(metrics, key=lambda metric: metric.name != EXERCISE)


def _weakest_first(content: ReportContent, metrics: list[MetricFacts], samples: Counter[str | None]) -> list[str]:
    labels = {label for label in samples if label is not None}
    labels |= {label for model in content.models for label in model.evaluation.by_label}

    def strength(label: str) -> tuple[bool, bool, float, str]:
        mean = finite(_figures(content.main, label, metrics[0].name).mean) if metrics else None
        unscored = not metrics or not _has_score(content, label, metrics[0].name)
        return (unscored, mean is None, 0.0 if mean is None else mean, label)

    return sorted(labels, key=strength)


def _has_score(content: ReportContent, label: str, metric: str) -> bool:
    return any(finite(_figures(model, label, metric).mean) is not None for model in content.models)


def _figures(model: ModelResult, label: str, metric: str) -> MetricSummary:
    return model.evaluation.by_label.get(label, {}).get(metric, NO_FIGURES)


def _write_notes(pen: Pen, row: int, model: str, metrics: list[MetricFacts], unlabelled: int) -> int:
    """Say in which order the table is, or why there is none, and what is not in it; return the next free row."""
    if metrics:
        order = f"Weakest first, by the {metrics[0].title} of {model}. n: scored samples."
        pen.text(row, 1, order, Style.NOTE)
    else:
        pen.text(row, 1, "No scored answer names an exercise, so that there is nothing to tell apart.", Style.SUBTITLE)
    if unlabelled:
        noun = "sample names" if unlabelled == 1 else "samples name"
        pen.text(row + 1, 1, f"{unlabelled:,} {noun} no exercise, and can be in no line of this table.", Style.NOTE)
    return row + 2


def _write_table(
    pen: Pen,
    content: ReportContent,
    metrics: list[MetricFacts],
    labels: list[str],
    samples: Counter[str | None],
    header_row: int,
) -> None:
    sheet = pen.sheet
    pen.text(header_row, 1, "Exercise", Style.HEADER)
    pen.text(header_row, 2, "Samples", Style.HEADER)
    for row, label in enumerate(labels, start=header_row + 1):
        pen.text(row, 1, label)
        pen.number(row, 2, samples[label], Style.COUNT)
    for position, model in enumerate(content.models):
        _write_model(pen, content, model, metrics, labels, (header_row, _model_column(position, metrics)))
    last_column = get_column_letter(_model_column(len(content.models), metrics) - 1)
    sheet.row_dimensions[header_row].height = 3 * LINE_HEIGHT
    pen.fit_heights(header_row + 1, header_row + len(labels))
    sheet.auto_filter.ref = f"A{header_row}:{last_column}{header_row + len(labels)}"


def _model_column(position: int, metrics: list[MetricFacts]) -> int:
    return 3 + position * (1 + len(metrics))


def _write_model(
    pen: Pen,
    content: ReportContent,
    model: ModelResult,
    metrics: list[MetricFacts],
    labels: list[str],
    corner: tuple[int, int],
) -> None:
    """Write one model's part of the table: n, then its means; `corner` is (header row, first column)."""
    header_row, column = corner
    last_column, last_row = column + len(metrics), header_row + len(labels)
    write_group(pen, header_row - 1, column, last_column, model.heading, Style.GROUP)
    pen.text(header_row, column, "n", Style.HEADER)
    for position, metric in enumerate(metrics, start=1):
        heading = pen.text(header_row, column + position, metric.title, Style.HEADER)
        explain_metric(heading, metric, content.bands.get(metric.name))
        letter = get_column_letter(column + position)
        if metric.name in content.bands:
            colour_scores(pen.sheet, f"{letter}{header_row + 1}:{letter}{last_row}", content.bands[metric.name])
    for row, label in enumerate(labels, start=header_row + 1):
        _write_scored(pen, row, column, model, label, metrics)
        for position, metric in enumerate(metrics, start=1):
            pen.number(row, column + position, _figures(model, label, metric.name).mean, score_style(metric))


def _write_scored(pen: Pen, row: int, column: int, model: ModelResult, label: str, metrics: list[MetricFacts]) -> None:
    """Write how many samples were scored: a number, or a range where the metrics differ.

    A metric that scored no sample of the model at all has a dash in every line, and does not make a range of each.
    """
    summary = model.evaluation.summary
    working = [metric.name for metric in metrics if summary.get(metric.name, NO_FIGURES).n]
    counts = {_figures(model, label, metric).n for metric in working} or {0}
    if len(counts) == 1:
        pen.number(row, column, counts.pop(), Style.COUNT)
    else:
        pen.text(row, column, f"{min(counts)} – {max(counts)}", Style.CENTRED)


def _add_chart(
    sheet: Worksheet,
    content: ReportContent,
    metrics: list[MetricFacts],
    shown: tuple[int, int],
    header_row: int,
    rows: tuple[int, int],
) -> None:
    """Chart the first metric of each exercise; `shown` is (exercises in the chart, exercises in all)."""
    charted, labels = shown
    scope = "" if charted == labels else f", the {charted} weakest of {labels}"
    chart = charts.bar_chart(f"{metrics[0].title} by exercise{scope}", "Exercise", _unit(metrics[0]), lying=True)
    first, last = header_row + 1, header_row + charted
    for position in range(len(content.models)):
        column = _model_column(position, metrics)
        colour = model_colour(position, len(content.models))
        charts.add_series(chart, sheet, (header_row - 1, column), (column + 1, first, last), colour)
    charts.set_categories(chart, sheet, (1, first, last))
    charts.scale(chart, 0.0, 1.0)
    if is_yes_no(metrics[0]):
        chart.y_axis.number_format = "0%"
    charts.place(chart, sheet, (rows[0], 1), (rows[1], min(13, _model_column(len(content.models), metrics) - 1)))


def _unit(metric: MetricFacts) -> str:
    return "Share of right answers" if is_yes_no(metric) else "Mean score"
