"""The sections Results and Samples of the page: what single samples came to."""

from collections.abc import Sequence
from pathlib import Path

from videoguard.evaluation.scores import MetricFacts
from videoguard.report.content import ReportContent
from videoguard.report.figures import SampleLine, score_of, scored_metrics, side_by_side, why_unscored
from videoguard.report.samples import shown_samples
from videoguard.report.score_cells import answer_cell, sample_score_cell, video_cell
from videoguard.report.section import (
    Card,
    Cell,
    Section,
    Table,
    text_cell,
)
from videoguard.report.thumbnails import film_strip
from videoguard.report.wording import (
    metrics_of,
    sample_words,
)


def results_section(content: ReportContent, title: str, opened_from: Path) -> Section:
    """A row a sample."""
    metrics = scored_metrics(content.models) or metrics_of(content.models)
    lines = side_by_side(content.models)
    order = (len(content.models) - 1, *range(len(content.models) - 1))
    headings = [
        *("Sample", "Video", "Exercise", "Question", "Wanted answer"),
        *(f"Answer of {content.models[place].heading}" for place in order),
        *map(sample_words, metrics),
        *("Exercise in the answer", "Status", "What is missing, and why"),
    ]

    def row(line: SampleLine) -> list[Cell]:
        main = line.rows[-1]
        return [
            text_cell(line.known.id),
            video_cell(line, content, opened_from),
            *map(text_cell, (line.known.label, line.known.question, line.known.reference)),
            *(answer_cell(line, place) for place in order),
            *(sample_score_cell(content, metric, score_of(line.scores, metric.name)) for metric in metrics),
            text_cell(None if line.scores is None else line.scores.identified),
            Cell("missing" if main is None else main.status, look="red" if main is None or main.status == "failed" else ""),
            text_cell(_why(line, metrics)),
        ]

    return Section("results", title, tables=[Table(headings, map(row, lines), is_long=True)])


def _why(line: SampleLine, metrics: Sequence[MetricFacts]) -> str:
    main = line.rows[-1]
    if main is None or main.status == "failed":
        return why_unscored(main, None, "")
    lacking = [metric for metric in metrics if score_of(line.scores, metric.name) is None]
    return "\n".join(f"{metric.title}: {why_unscored(main, line.scores, metric.name)}" for metric in lacking)


def samples_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """The worst and the best samples with their frames; None where none is scored."""
    shown = shown_samples(content.models, content.samples)
    if shown is None:
        return None
    metrics = scored_metrics([content.main])

    def card(line: SampleLine) -> Card:
        frames = content.frames.get(line.known.video or "", [])
        order = (len(content.models) - 1, *range(len(content.models) - 1))
        answers = [(content.models[place].heading, answer_cell(line, place).text) for place in order]
        return Card(
            Cell(line.known.id, link=video_cell(line, content, opened_from).link),
            film_strip(frames, content.samples.frames) if frames else None,
            [("Wanted", line.known.reference), *answers],
            [
                (sample_words(metric), sample_score_cell(content, metric, score_of(line.scores, metric.name)))
                for metric in metrics
            ],
        )

    parts = [
        (words, [card(line) for line in lines]) for words, lines in (("Worst", shown.worst), ("Best", shown.best)) if lines
    ]
    return Section("samples", title, cards=[(f"{words} {shown.metric.title}", cards) for words, cards in parts])
