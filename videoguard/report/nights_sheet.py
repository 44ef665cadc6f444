"""The sheets Nights (the champion over the nights, with a chart) and Drift (the new videos against the earlier ones)."""

from collections.abc import Sequence

from openpyxl.chart.axis import NumericAxis
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.scores import MetricFacts
from videoguard.report import charts
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.nights import (
    DRIFT_HEADINGS,
    DRIFT_NOTE,
    NIGHT_HEADINGS,
    PAIR_HEADINGS,
    NightLine,
    comparison_words,
    drift_lines,
    night_lines,
    trend_metrics,
)
from videoguard.report.page import hide_lengths, set_up_print, write_heading, write_notice
from videoguard.report.styles import Style, difference_style, score_style
from videoguard.report.wording import is_unit

_WIDTHS = (24, 22, 14, 14, 12, 14)
_CHART_ROWS = 20
_COLOURS = ("2F6DB5", "C8553D", "3A8F5C", "8A5FBF", "B0812B", "4A5560")
_OUTCOMES = {"passed": Style.GREEN, "regressed": Style.RED, "drifted": Style.YELLOW, "undecided": Style.YELLOW}


def write_nights(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: what tonight came to, the trend as a chart and a table, and tonight against earlier nights."""
    tonight, metrics = content.nights[-1], trend_metrics(content.nights)
    pen = Pen(sheet, tally, (*_WIDTHS, *[13] * max(3, 3 * len(metrics))))
    set_up_print(sheet, None, content.partial)
    row = write_notice(pen, 1, len(NIGHT_HEADINGS), content.partial)
    write_heading(pen, row, f"Night of {tonight.date}: {tonight.outcome}")
    for reason in tonight.reasons:
        row += 1
        pen.text(row, 1, reason, Style.SUBTITLE)
    lines = night_lines(content.nights, metrics)
    chart_row = row + 2
    row = _write_trend(pen, chart_row + _CHART_ROWS + 1, lines, metrics, chart_row)
    for found in tonight.comparisons:
        row += 2
        pen.text(row, 1, comparison_words(found), Style.SUBTITLE)
    _write_pairs(pen, row + 2, content)


def write_drift(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: a line a property."""
    pen = Pen(sheet, tally, (26, 16, 14, 40, 14, 14, 14, 26))
    set_up_print(sheet, None, content.partial)
    row = write_notice(pen, 1, len(DRIFT_HEADINGS), content.partial)
    write_heading(pen, row, "The new videos against the earlier ones")
    pen.text(row + 1, 1, DRIFT_NOTE, Style.SUBTITLE)
    header = row + 3
    _write_header(pen, header, DRIFT_HEADINGS)
    for at, line in enumerate(drift_lines(content.nights[-1]), start=header + 1):
        pen.text(at, 1, line.what)
        pen.number(at, 2, line.earlier, Style.COUNT)
        pen.number(at, 3, line.new, Style.COUNT)
        pen.text(at, 4, line.change)
        pen.number(at, 5, line.distance, Style.SCORE)
        pen.number(at, 6, line.p_value, Style.P_VALUE)
        pen.number(at, 7, line.p_corrected, Style.P_VALUE)
        pen.text(at, 8, line.verdict, Style.RED if line.verdict == "drifted" else Style.TEXT)


def _write_trend(pen: Pen, row: int, lines: Sequence[NightLine], metrics: Sequence[MetricFacts], chart_row: int) -> int:
    """Write one line a night below the chart; return the last row."""
    write_heading(pen, row, "The champion, night by night")
    header = row + 1
    words = [word for metric in metrics for word in (metric.title, "95 % low", "95 % high")]
    _write_header(pen, header, [*NIGHT_HEADINGS, *words])
    for row, line in enumerate(lines, start=header + 1):
        when, outcome, version = line.texts
        pen.number(row, 1, line.number, Style.COUNT)
        pen.text(row, 2, when)
        pen.text(row, 3, outcome, _OUTCOMES[outcome])
        pen.text(row, 4, version)
        pen.number(row, 5, line.night.samples, Style.COUNT)
        pen.number(row, 6, line.night.computed, Style.COUNT)
        for place, (metric, found) in enumerate(zip(metrics, line.scores, strict=True)):
            figures = (None, None, None) if found is None else (found.mean, found.ci_low, found.ci_high)
            for offset, figure in enumerate(figures):
                pen.number(row, len(NIGHT_HEADINGS) + 1 + 3 * place + offset, figure, score_style(metric))
    if metrics:
        _add_chart(pen, lines, metrics, header, chart_row)
    return row


def _add_chart(pen: Pen, lines: Sequence[NightLine], metrics: Sequence[MetricFacts], header: int, chart_row: int) -> None:
    """Lines of the champion's means with their 95 % intervals, over the number of the night."""
    chart = charts.scatter_chart("Champion: mean score by night, with 95 % interval", "Night", "Mean score (best is 1)")
    first, last = header + 1, header + len(lines)
    assert isinstance(chart.x_axis, NumericAxis)
    chart.x_axis.number_format = "0"
    chart.x_axis.scaling.min = float(lines[0].number - 1)
    chart.x_axis.scaling.max = float(lines[-1].number + 1)
    chart.x_axis.majorUnit = float(max(1, len(lines) // 10))
    spare = len(NIGHT_HEADINGS) + 3 * len(metrics) + 2
    shown = [(place, metric) for place, metric in enumerate(metrics) if is_unit(metric)][: len(_COLOURS)]
    lowest = 0.0
    for (place, metric), colour in zip(shown, _COLOURS, strict=False):
        column = len(NIGHT_HEADINGS) + 1 + 3 * place
        charts.add_line(chart, pen.sheet, (header, column), (1, first, last), (column, first, last), colour)
        found = [line.scores[place] for line in lines]
        lengths = [
            (0.0, 0.0) if one is None else charts.interval_lengths(one.mean, one.ci_low, one.ci_high) for one in found
        ]
        hide_lengths(pen, metric.title, lengths, (first, spare))
        charts.add_intervals(chart, pen.sheet, (spare, first, last), (spare + 1, first, last))
        lowest = min([lowest, *(one.ci_low for one in found if one is not None and one.ci_low is not None)])
        spare += 2
    if lowest < 0.0:
        chart.y_axis.scaling.min = -1.0
    charts.place(chart, pen.sheet, (chart_row, 1), (chart_row + _CHART_ROWS - 2, 8))


def _write_pairs(pen: Pen, row: int, content: ReportContent) -> None:
    tonight = content.nights[-1]
    facts = tonight.metrics
    if not any(found.pairs for found in tonight.comparisons):
        return
    write_heading(pen, row, "Tonight against earlier nights, on the same samples")
    row += 1
    _write_header(pen, row, PAIR_HEADINGS)
    for found in tonight.comparisons:
        for pair in found.pairs:
            row += 1
            metric = facts.get(pair.metric, MetricFacts(name=pair.metric, title=pair.metric))
            pen.text(row, 1, found.night)
            pen.text(row, 2, metric.title)
            pen.number(row, 3, pair.first_mean, score_style(metric))
            pen.number(row, 4, pair.second_mean, score_style(metric))
            pen.number(row, 5, pair.difference, difference_style(metric))
            for column, count in enumerate((pair.n, pair.better, pair.worse), start=6):
                pen.number(row, column, count, Style.COUNT)
            pen.number(row, 9, pair.p_corrected, Style.P_VALUE)


def _write_header(pen: Pen, row: int, headings: Sequence[str]) -> None:
    for column, heading in enumerate(headings, start=1):
        pen.text(row, column, heading, Style.HEADER)
    pen.sheet.row_dimensions[row].height = 1.5 * LINE_HEIGHT
