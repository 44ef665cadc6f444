"""The sheet Comparison: models pair by pair, whether their differences are shown, and the samples that changed most."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.comparison import ChangedSample, Comparison, PairedDifference
from videoguard.evaluation.scores import MetricFacts
from videoguard.report import charts
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.figures import SampleLine, side_by_side
from videoguard.report.page import hide_lengths, set_up_print, write_group, write_heading, write_notice
from videoguard.report.styles import ACCENT, CHART_BAND_COLOURS, Style, difference_style, score_style
from videoguard.report.wording import finite, is_unit, metrics_of

_HEADINGS = (
    *("Metric", "Before", "After", "Difference", "95 % low", "95 % high", "Samples", "Left out", "Better", "Equal", "Worse"),
    *("Test", "p-value", "p corrected", "Verdict"),
)
_WIDTHS = (26, 12, 12, 13, 12, 12, 10, 10, 10, 10, 10, 18, 11, 12, 20)
_COUNTS = 9  # first column of better, equal, worse
_VERDICTS = {"better": Style.GREEN, "worse": Style.RED, "no difference shown": Style.CENTRED}
_CHART_ROWS = 16
_SPLIT = 6
_SPARE = len(_WIDTHS) + 1
# A text over several columns: wanted answer, the first model's answer, the second's.
_TEXTS = ((7, 9), (10, 12), (13, 15))


def write_comparison(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: charts of the last model against the first, every pair, and single samples."""
    comparison = content.comparison
    assert comparison is not None
    pen = Pen(sheet, tally, _WIDTHS)
    sheet.sheet_view.showGridLines = False
    partial = content.partial or comparison.partial
    set_up_print(sheet, None, partial)
    headings = {model.name: model.heading for model in content.models}
    facts = {metric.name: metric for metric in metrics_of(content.models)}

    row = write_notice(pen, 1, len(_WIDTHS), partial)
    write_heading(pen, row, "Models on the same samples")
    row = _write_notes(pen, comparison, headings, row + 1) + 1
    for (first, second), pairs in groupby(comparison.pairs, key=lambda pair: (pair.first, pair.second)):
        lines = sorted(pairs, key=lambda pair: not _is_charted(pair, facts))
        charted = sum(_is_charted(pair, facts) for pair in lines)
        names = headings.get(first, first), headings.get(second, second)
        header_row = _write_pair(pen, lines, names, facts, row)
        row = header_row + len(lines) + 2
        if charted:
            _add_charts(pen, lines[:charted], names, (header_row, row))
            row += _CHART_ROWS + 2
    _write_changed(pen, content, comparison.changed, headings, facts, row)


def _write_notes(pen: Pen, comparison: Comparison, headings: Mapping[str, str], row: int) -> int:
    """Say what was compared and how; return the next free row."""
    noun = "sample" if comparison.samples == 1 else "samples"
    pen.text(row, 1, f"{comparison.samples:,} {noun} that every model was asked about.", Style.SUBTITLE)
    tests = "test" if comparison.tests == 1 else "tests"
    notes = [
        f"{headings.get(name, name)}: {count:,} more samples that another model lacks are in no figure here."
        for name, count in comparison.left_out.items()
        if count
    ]
    notes.append(
        "Over the samples that both models have a score of. Interval: 95 % paired bootstrap over source videos. "
        f"Verdict: two-sided, at {comparison.alpha:.0%}, Holm's correction for {comparison.tests:,} {tests}."
    )
    for line, note in enumerate(notes, start=row + 1):
        pen.text(line, 1, note, Style.NOTE)
    return row + 1 + len(notes)


def _is_charted(pair: PairedDifference, facts: Mapping[str, MetricFacts]) -> bool:
    return is_unit(_facts(pair.metric, facts)) and finite(pair.difference) is not None


def _facts(metric: str, facts: Mapping[str, MetricFacts]) -> MetricFacts:
    return facts.get(metric) or MetricFacts(name=metric, title=metric)


def _write_pair(
    pen: Pen, pairs: Sequence[PairedDifference], names: tuple[str, str], facts: Mapping[str, MetricFacts], row: int
) -> int:
    """Write every metric of two models; return the row of the headings."""
    first, second = names
    write_group(pen, row, 1, len(_HEADINGS), f"{second}, compared with {first}", Style.GROUP)
    header_row = row + 1
    for column, words in enumerate((_HEADINGS[0], first, second, *_HEADINGS[3:]), start=1):
        pen.text(header_row, column, words, Style.HEADER)
    pen.sheet.row_dimensions[header_row].height = 2.5 * LINE_HEIGHT
    for line, pair in enumerate(pairs, start=header_row + 1):
        _write_line(pen, pair, _facts(pair.metric, facts), line)
    pen.fit_heights(header_row + 1, header_row + len(pairs))
    return header_row


def _write_line(pen: Pen, pair: PairedDifference, metric: MetricFacts, row: int) -> None:
    pen.text(row, 1, metric.title if metric.better != "lower" else f"{metric.title} (lower is better)")
    pen.number(row, 2, pair.first_mean, score_style(metric))
    pen.number(row, 3, pair.second_mean, score_style(metric))
    for column, difference in enumerate((pair.difference, pair.ci_low, pair.ci_high), start=4):
        pen.number(row, column, difference, difference_style(metric))
    for column, count in enumerate((pair.n, pair.unscored, pair.better, pair.equal, pair.worse), start=7):
        pen.number(row, column, count, Style.COUNT)
    pen.text(row, 12, pair.test, Style.CENTRED)
    pen.number(row, 13, pair.p_value, Style.P_VALUE)
    pen.number(row, 14, pair.p_corrected, Style.P_VALUE)
    pen.text(row, 15, pair.verdict, Style.CENTRED if pair.verdict is None else _VERDICTS[pair.verdict])


def _add_charts(pen: Pen, pairs: Sequence[PairedDifference], names: tuple[str, str], rows: tuple[int, int]) -> None:
    """Chart the differences, and how many samples got better or worse; `rows` are those of (headings, charts)."""
    header_row, row = rows
    first, last = header_row + 1, header_row + len(pairs)
    sheet = pen.sheet
    difference = charts.bar_chart(f"Difference to {names[0]}, with 95 % interval", "Metric", "Difference of the means")
    charts.add_series(difference, sheet, (header_row, 4), (4, first, last), ACCENT)
    lengths = [charts.interval_lengths(pair.difference, pair.ci_low, pair.ci_high) for pair in pairs]
    hide_lengths(pen, names[1], lengths, (first, _SPARE))
    charts.add_intervals(difference, sheet, (_SPARE, first, last), (_SPARE + 1, first, last))
    charts.set_categories(difference, sheet, (1, first, last))
    charts.labels_below(difference)
    difference.y_axis.number_format = "+0.0;-0.0;0.0"
    difference.legend = None
    charts.place(difference, sheet, (row, 1), (row + _CHART_ROWS - 1, _SPLIT))

    counts = charts.bar_chart(
        f"Samples where {names[1]} is better or worse", "Metric", "Share of samples", lying=True, stacked=True
    )
    colours = (CHART_BAND_COLOURS["green"], "D9E2EC", CHART_BAND_COLOURS["red"])
    for column, colour in enumerate(colours, start=_COUNTS):
        charts.add_series(counts, sheet, (header_row, column), (column, first, last), colour)
    charts.set_categories(counts, sheet, (1, first, last))
    charts.place(counts, sheet, (row, _SPLIT + 1), (row + _CHART_ROWS - 1, len(_WIDTHS)))


def _write_changed(
    pen: Pen,
    content: ReportContent,
    changed: Sequence[ChangedSample],
    headings: Mapping[str, str],
    facts: Mapping[str, MetricFacts],
    row: int,
) -> None:
    if not changed:
        return
    write_heading(pen, row, "Samples that changed most")
    row += 1
    lines = {line.known.id: line for line in side_by_side(content.models)}
    for (first, second), samples in groupby(changed, key=lambda sample: (sample.first, sample.second)):
        positions = tuple(_position(content, name) for name in (first, second))
        names = headings.get(first, first), headings.get(second, second)
        row = _write_changed_header(pen, names, row)
        for sample in samples:
            _write_changed_line(pen, sample, _facts(sample.metric, facts), lines.get(sample.id), positions, row)
            row += 1
        row += 1


def _position(content: ReportContent, name: str) -> int | None:
    return next((place for place, model in enumerate(content.models) if model.name == name), None)


def _write_changed_header(pen: Pen, names: tuple[str, str], row: int) -> int:
    for column, words in enumerate(("Metric", *names, "Change"), start=1):
        pen.text(row, column, words, Style.HEADER)
    write_group(pen, row, 5, 6, "Sample", Style.HEADER)
    for (start, end), words in zip(_TEXTS, ("Wanted answer", *(f"Answer of {name}" for name in names)), strict=True):
        write_group(pen, row, start, end, words, Style.HEADER)
    pen.sheet.row_dimensions[row].height = 2.5 * LINE_HEIGHT
    return row + 1


def _write_changed_line(
    pen: Pen,
    sample: ChangedSample,
    metric: MetricFacts,
    line: SampleLine | None,
    positions: tuple[int | None, ...],
    row: int,
) -> None:
    pen.text(row, 1, metric.title)
    pen.number(row, 2, sample.first_score, score_style(metric))
    pen.number(row, 3, sample.second_score, score_style(metric))
    pen.number(row, 4, sample.change, difference_style(metric))
    write_group(pen, row, 5, 6, sample.id, Style.TEXT)
    answered = [None if line is None or place is None else line.rows[place] for place in positions]
    texts = [None if line is None else line.known.reference, *(None if each is None else each.answer for each in answered)]
    for (start, end), text in zip(_TEXTS, texts, strict=True):
        write_group(pen, row, start, end, text, Style.TEXT)
    pen.fit_heights(row, row)
