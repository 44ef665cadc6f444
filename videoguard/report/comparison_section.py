"""The section Comparison of the page."""

from itertools import groupby
from pathlib import Path

from videoguard.evaluation.scores import MetricFacts
from videoguard.report.content import ReportContent
from videoguard.report.score_cells import score_cell
from videoguard.report.section import (
    Cell,
    Section,
    Table,
    count_cell,
    p_value_cell,
    text_cell,
)
from videoguard.report.wording import (
    difference_words,
    finite,
    metrics_of,
)


def comparison_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """The models side by side; None where there is one."""
    found = content.comparison
    if found is None:
        return None
    facts = {metric.name: metric for metric in metrics_of(content.models)}
    headings = {model.name: model.heading for model in content.models}
    looks = {"better": "green", "worse": "red"}
    tables = []
    for (first, second), pairs in groupby(found.pairs, key=lambda pair: (pair.first, pair.second)):
        names = headings.get(first, first), headings.get(second, second)
        rows = []
        for pair in pairs:
            metric = facts.get(pair.metric, MetricFacts(name=pair.metric, title=pair.metric))
            means = [score_cell(metric, value, None) for value in (pair.first_mean, pair.second_mean)]
            differences = (pair.difference, pair.ci_low, pair.ci_high)
            counts = (pair.n, pair.unscored, pair.better, pair.equal, pair.worse)
            tested = [text_cell(pair.test), *map(p_value_cell, (pair.p_value, pair.p_corrected))]
            verdict = Cell(pair.verdict or "–", look=looks.get(pair.verdict or "", ""))
            changes = [Cell(difference_words(metric, value), finite(value)) for value in differences]
            rows.append([text_cell(metric.title), *means, *changes, *map(count_cell, counts), *tested, verdict])
        table_headings = ["Metric", *names, "Difference", "95 % low", "95 % high", "Samples", "Left out", "Better", "Equal"]
        tables.append(
            Table(
                [*table_headings, "Worse", "Test", "p-value", "p corrected", "Verdict"],
                rows,
                f"{names[1]}, compared with {names[0]}",
            )
        )
    changed = [
        [
            text_cell(facts[sample.metric].title if sample.metric in facts else sample.metric),
            *(text_cell(headings.get(name, name)) for name in (sample.first, sample.second)),
            *(Cell(f"{value:.3f}", value) for value in (sample.first_score, sample.second_score)),
            Cell(f"{sample.change:+.3f}", sample.change),
            text_cell(sample.id),
        ]
        for sample in found.changed
    ]
    if changed:
        words = ["Metric", "Model", "Against", "Before", "After", "Change", "Sample"]
        tables.append(Table([words[0], words[2], words[1], *words[3:]], changed, "Samples that changed most"))
    note = (
        f"{found.samples:,} samples that every model was asked about. Interval: 95 % paired bootstrap over source videos. "
        f"Verdict: two-sided, at {found.alpha:.0%}, Holm's correction for {found.tests:,} tests."
    )
    return Section("comparison", title, [*([f"Partial: {found.partial}"] if found.partial else []), note], tables)
