"""The sheet Summary: the headline of the run on one page."""

from textwrap import shorten

from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.scores import MetricFacts
from videoguard.report.cells import Pen, Tally
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.figures import NO_FIGURES, count_colours, mean_of, scored_metrics
from videoguard.report.page import set_up_print, write_group, write_heading, write_notice
from videoguard.report.styles import BAND_STYLES, Style, difference_style, score_style
from videoguard.report.summary_charts import CHART_ROWS, Tables, add_charts
from videoguard.report.wording import band_words, colour_of, interval_words, is_unit, metrics_of

MODEL_HEADERS = ("Mean", "95 % interval", "n", "Unscored")
"""The headline's columns of each model."""
STATISTICS_HEADERS = (
    *(
        "Metric",
        "Model",
        "n",
        "Unscored",
        "Mean",
        "95 % low",
        "95 % high",
        "Median",
        "Std. dev.",
        "Std. error",
        "Min",
        "Max",
    ),
    *("Green", "Yellow", "Red", "Whole text"),
)
"""The last one only where a metric has such a figure."""

_FIRST_MODEL_COLUMN = 3
_MOST_ROWS_OF_A_PAGE = 80
_STATISTICS_NOTE = (
    "Std. dev.: sample standard deviation. Std. error: of the mean, clustered by source video. "
    "Green, yellow, red: how many scored samples have each colour."
)


def write_summary(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: title, headline table, key counts, charts, and the statistics of every metric and model."""
    metrics, charted = _scored_first(content)
    columns = max(_model_column(len(content.models)) + 3, len(STATISTICS_HEADERS) - 1)
    pen = Pen(sheet, tally, [25, 25, *[13] * (columns - 2)])
    set_up_print(sheet, None, content.partial)
    sheet.sheet_view.showGridLines = False

    row = _write_title(pen, content, columns)
    means_row, row = _write_headline(pen, content, metrics, row)
    chart_row = _write_counts(pen, content, row + 1) + 1
    if not metrics:
        return
    statistics_row = chart_row + (CHART_ROWS + 2 if charted else 0)
    end = _write_statistics(pen, content, metrics, statistics_row)
    if end <= _MOST_ROWS_OF_A_PAGE:
        sheet.page_setup.fitToHeight = 1
    if charted:
        write_heading(pen, chart_row, "Charts")
        tables = Tables(
            metrics,
            charted,
            means_row=means_row,
            statistics_row=statistics_row + 2,
            mean_columns=tuple(_model_column(position) for position in range(len(content.models))),
            colour_columns=tuple(STATISTICS_HEADERS.index(words) + 1 for words in ("Green", "Yellow", "Red")),
            spare_column=columns + 1,
        )
        add_charts(pen, content, tables, chart_row + 1)


def _model_column(position: int) -> int:
    return _FIRST_MODEL_COLUMN + position * len(MODEL_HEADERS)


def _scored_first(content: ReportContent) -> tuple[list[MetricFacts], int]:
    """The metrics, in front those that can be charted, last those that scored no sample; and how many are charted.

    One chart has one scale: what ends at 1 is charted, ratings and counts are not.
    """
    metrics, scored = metrics_of(content.models), scored_metrics(content.models)
    charted = [metric for metric in scored if is_unit(metric)]
    return sorted(metrics, key=lambda metric: (metric not in charted, metric not in scored)), len(charted)


def _write_title(pen: Pen, content: ReportContent, columns: int) -> int:
    pen.text(1, 1, content.title, Style.TITLE)
    pen.sheet.row_dimensions[1].height = 28
    made = f"Made {content.created:%Y-%m-%d %H:%M %Z}"
    lines = [what_was_run(content), *_question(content), made]
    for row, line in enumerate(lines, start=2):
        pen.text(row, 1, line, Style.SUBTITLE)
    return write_notice(pen, 2 + len(lines), columns, content.partial) + 1


def what_was_run(content: ReportContent) -> str:
    """The models and how many samples they were asked about, in a sentence."""
    samples = f"{len(content.main.rows):,} {'sample' if len(content.main.rows) == 1 else 'samples'}"
    if len(content.models) == 1:
        return f"{content.main.heading}, on {samples}"
    return f"{content.main.heading}, compared with {content.models[0].heading}, on {samples}"


def _question(content: ReportContent) -> list[str]:
    """The question, where it is the same for all samples: Results then has no column of it."""
    questions = {row.question for row in content.main.rows}
    return [f"Asked: {shorten(question, 150, placeholder=' …')}" for question in questions if len(questions) == 1]


def _write_headline(pen: Pen, content: ReportContent, metrics: list[MetricFacts], row: int) -> tuple[int, int]:
    """Write the table of means; return the row of its first metric and the next free row."""
    write_heading(pen, row, "Scores")
    if not metrics:
        pen.text(row + 1, 1, "No metric was computed.", Style.SUBTITLE)
        return row + 2, row + 2
    header_row = row + 2
    _write_headline_header(pen, content, header_row)
    for position, metric in enumerate(metrics, start=1):
        _write_headline_line(pen, content, metric, header_row + position)
    note_row = header_row + len(metrics) + 1
    pen.text(note_row, 1, _headline_note(content), Style.NOTE)
    pen.fit_heights(header_row + 1, note_row)
    return header_row + 1, note_row + 1


def _headline_note(content: ReportContent) -> str:
    note = "Mean of the scored samples (n) with its 95 % bootstrap interval over source videos; the unscored are in no mean."
    if len(content.models) == 1:
        return note
    return f"{note} Difference and colour: {content.main.heading}, against {content.models[0].heading}."


def _write_headline_header(pen: Pen, content: ReportContent, row: int) -> None:
    pen.text(row, 1, "Metric", Style.HEADER)
    pen.text(row, 2, "Name in files", Style.HEADER)
    column = _FIRST_MODEL_COLUMN
    for model in content.models:
        write_group(pen, row - 1, column, column + len(MODEL_HEADERS) - 1, model.heading, Style.GROUP)
        for header in MODEL_HEADERS:
            pen.text(row, column, header, Style.HEADER)
            column += 1
    if len(content.models) > 1:
        pen.text(row, column, "Difference", Style.HEADER)
        column += 1
    pen.text(row, column, "Colour", Style.HEADER)
    write_group(pen, row, column + 1, column + 2, "Colour thresholds", Style.HEADER)


def _write_headline_line(pen: Pen, content: ReportContent, metric: MetricFacts, row: int) -> None:
    pen.text(row, 1, metric.title)
    pen.text(row, 2, metric.name, Style.CODE)
    column = _FIRST_MODEL_COLUMN
    for model in content.models:
        figures = model.evaluation.summary.get(metric.name, NO_FIGURES)
        pen.number(row, column, figures.mean, score_style(metric))
        pen.text(row, column + 1, interval_words(metric, figures.ci_low, figures.ci_high), Style.CENTRED)
        pen.number(row, column + 2, figures.n, Style.COUNT)
        pen.number(row, column + 3, figures.unscored, Style.COUNT)
        column += len(MODEL_HEADERS)
    first, last = (mean_of(model, metric.name) for model in (content.models[0], content.main))
    if len(content.models) > 1:
        difference = None if first is None or last is None else last - first
        pen.number(row, column, difference, difference_style(metric))
        column += 1
    band = content.bands.get(metric.name)
    colour = colour_of(last, band)
    pen.text(row, column, colour, Style.NOTHING if colour is None else BAND_STYLES[colour])
    write_group(pen, row, column + 1, column + 2, band_words(metric, band) if band else "none set", Style.CENTRED)


def _write_counts(pen: Pen, content: ReportContent, row: int) -> int:
    """Write how many samples each model had, and what was left out before; return the next free row."""
    write_heading(pen, row, "Key counts")
    write_group(pen, row + 1, 1, 2, "", Style.HEADER)
    for column, header in enumerate(("Samples", "Answered", "Failed"), start=3):
        pen.text(row + 1, column, header, Style.HEADER)
    row += 2
    for model in content.models:
        write_group(pen, row, 1, 2, model.heading, Style.TEXT)
        failed = sum(answer.status == "failed" for answer in model.rows)
        for column, count in enumerate((len(model.rows), len(model.rows) - failed, failed), start=3):
            pen.number(row, column, count, Style.COUNT)
        row += 1
    for words, count in (
        ("Videos quarantined, in no figure", len(content.quarantine)),
        ("Manifest rows that could not be read", len(content.row_problems)),
    ):
        write_group(pen, row, 1, 2, words, Style.TEXT)
        pen.number(row, 3, count, Style.COUNT)
        row += 1
    pen.fit_heights(row - 2 - len(content.models), row - 1)
    return row


def _write_statistics(pen: Pen, content: ReportContent, metrics: list[MetricFacts], row: int) -> int:
    """Write every figure of every metric and model, model after model; return the last row."""
    summaries = [model.evaluation.summary.get(metric.name, NO_FIGURES) for model in content.models for metric in metrics]
    headers = STATISTICS_HEADERS if any(figures.corpus is not None for figures in summaries) else STATISTICS_HEADERS[:-1]
    write_heading(pen, row, "Statistics")
    for column, header in enumerate(headers, start=1):
        pen.text(row + 1, column, header, Style.HEADER)
    lines = [(model, metric) for model in content.models for metric in metrics]
    for line, (model, metric) in enumerate(lines, start=row + 2):
        _write_statistics_line(pen, content, model, metric, line)
        corpus = model.evaluation.summary.get(metric.name, NO_FIGURES).corpus
        if headers[-1] == STATISTICS_HEADERS[-1]:
            pen.number(line, len(headers), corpus, score_style(metric))
    end = row + 2 + len(lines)
    pen.text(end, 1, _STATISTICS_NOTE, Style.NOTE)
    if headers[-1] == STATISTICS_HEADERS[-1]:
        pen.text(
            end + 1, 1, "Whole text: the measure over all answers at once, which is no mean of the samples.", Style.NOTE
        )
    pen.fit_heights(row + 2, end)
    return end + 1


def _write_statistics_line(pen: Pen, content: ReportContent, model: ModelResult, metric: MetricFacts, row: int) -> None:
    figures = model.evaluation.summary.get(metric.name, NO_FIGURES)
    pen.text(row, 1, metric.title)
    pen.text(row, 2, model.heading)
    pen.number(row, 3, figures.n, Style.COUNT)
    pen.number(row, 4, figures.unscored, Style.COUNT)
    spread = (figures.median, figures.std, figures.standard_error, figures.min, figures.max)
    values = (figures.mean, figures.ci_low, figures.ci_high, *spread)
    for column, value in enumerate(values, start=5):
        pen.number(row, column, value, score_style(metric))
    band = content.bands.get(metric.name)
    counts = None if band is None else count_colours(model, metric, band)
    for column, colour in enumerate(BAND_STYLES, start=5 + len(values)):
        pen.number(row, column, None if counts is None else counts[colour], Style.COUNT)
