"""The section Summary of the page."""

from pathlib import Path

from videoguard.evaluation.scores import MetricFacts
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.figures import NO_FIGURES
from videoguard.report.score_cells import score_cell
from videoguard.report.section import (
    Cell,
    Section,
    Table,
    count_cell,
    text_cell,
)
from videoguard.report.wording import (
    band_words,
    finite,
    interval_words,
    is_unit,
    metrics_of,
)


def summary_section(content: ReportContent, title: str, opened_from: Path) -> Section:
    """The figures of each metric and model, and the key counts."""
    metrics = metrics_of(content.models)
    headings = [
        "Metric",
        "Model",
        "Mean",
        "95 % interval",
        "From 0 to 1",
        "n",
        "Unscored",
        "Median",
        "Std. dev.",
        "Min",
        "Max",
    ]
    rows = [_summary_row(content, metric, model) for metric in metrics for model in content.models]
    note = "Mean of the scored samples (n) with its 95 % bootstrap interval over source videos; the unscored are in no mean."
    counts = [[text_cell(model.heading), *_counts(model)] for model in content.models]
    unused = {
        "Videos and samples quarantined, in no figure": len(content.quarantine),
        "Manifest rows that could not be read": len(content.row_problems),
    }
    left_out = [[text_cell(words), count_cell(count), text_cell(""), text_cell("")] for words, count in unused.items()]
    return Section(
        "summary",
        title,
        tables=[
            Table([*headings, "Thresholds"], rows, note=note),
            Table(["", "Samples", "Answered", "Failed"], [*counts, *left_out], "Key counts"),
        ],
    )


def _summary_row(content: ReportContent, metric: MetricFacts, model: ModelResult) -> list[Cell]:
    figures = model.evaluation.summary.get(metric.name, NO_FIGURES)
    band = content.bands.get(metric.name)
    spread = (figures.median, figures.std, figures.min, figures.max)
    mean, low, high = finite(figures.mean), finite(figures.ci_low), finite(figures.ci_high)
    bar = (
        None if mean is None or not is_unit(metric) else (mean, mean if low is None else low, mean if high is None else high)
    )
    return [
        text_cell(metric.title),
        text_cell(model.heading),
        score_cell(metric, figures.mean, band),
        text_cell(interval_words(metric, low, high)),
        Cell("", mean if is_unit(metric) else None, bar=bar),
        count_cell(figures.n),
        count_cell(figures.unscored),
        *(score_cell(metric, value, None) for value in spread),
        text_cell(band_words(metric, band) if band else "none set"),
    ]


def _counts(model: ModelResult) -> list[Cell]:
    failed = sum(row.status == "failed" for row in model.rows)
    return [count_cell(len(model.rows)), count_cell(len(model.rows) - failed), count_cell(failed)]
