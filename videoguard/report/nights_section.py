"""The sections Nights and Drift of the page."""

from pathlib import Path

from videoguard.report.content import ReportContent
from videoguard.report.nights import (
    DRIFT_HEADINGS,
    DRIFT_NOTE,
    NIGHT_HEADINGS,
    PAIR_HEADINGS,
    comparison_words,
    drift_lines,
    night_lines,
    trend_metrics,
)
from videoguard.report.section import Cell, Section, Table, count_cell, decimal_cell, p_value_cell, text_cell
from videoguard.report.wording import figure_words, interval_words

_LOOKS = {"passed": "green", "regressed": "red", "drifted": "yellow", "undecided": "yellow"}


def nights_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """The champion over the nights, and tonight against earlier ones."""
    if not content.nights:
        return None
    tonight, metrics = content.nights[-1], trend_metrics(content.nights)
    rows = []
    for line in night_lines(content.nights, metrics):
        when, outcome, version = line.texts
        scores = [
            Cell("–")
            if found is None
            else Cell(f"{figure_words(fact, found.mean)} ({interval_words(fact, found.ci_low, found.ci_high)})", found.mean)
            for fact, found in zip(metrics, line.scores, strict=True)
        ]
        known = [count_cell(line.number), text_cell(when), Cell(outcome, look=_LOOKS[outcome]), text_cell(version)]
        rows.append([*known, count_cell(line.night.samples), count_cell(line.night.computed), *scores])
    pairs = [
        [
            *map(text_cell, (found.night, pair.metric)),
            *map(decimal_cell, (pair.first_mean, pair.second_mean, pair.difference)),
            *map(count_cell, (pair.n, pair.better, pair.worse)),
            p_value_cell(pair.p_corrected),
        ]
        for found in tonight.comparisons
        for pair in found.pairs
    ]
    tables = [Table([*NIGHT_HEADINGS, *(metric.title for metric in metrics)], rows, "The champion, night by night")]
    if pairs:
        tables.append(Table(PAIR_HEADINGS, pairs, "Tonight against earlier nights"))
    notes = [f"{tonight.outcome}: {reason}" for reason in tonight.reasons]
    return Section("nights", title, [*notes, *map(comparison_words, tonight.comparisons)], tables)


def drift_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """The new videos against the earlier ones."""
    lines = drift_lines(content.nights[-1]) if content.nights else []
    if not lines:
        return None
    rows = [
        [
            text_cell(line.what),
            *map(count_cell, (line.earlier, line.new)),
            text_cell(line.change),
            decimal_cell(line.distance),
            *map(p_value_cell, (line.p_value, line.p_corrected)),
            Cell(line.verdict, look="red" if line.verdict == "drifted" else ""),
        ]
        for line in lines
    ]
    return Section("drift", title, [DRIFT_NOTE], [Table(DRIFT_HEADINGS, rows)])
