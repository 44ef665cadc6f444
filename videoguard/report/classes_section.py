"""The sections Per exercise, Confusion and Confidence of the page: what the classes came to."""

from pathlib import Path

from videoguard.report.confidence_sheet import (
    ACROSS,
    BIN_HEADINGS,
    CHART_TITLE,
    DIAGONAL,
    MODEL_HEADINGS,
    NOTES,
    UP,
    bin_words,
    reliabilities,
)
from videoguard.report.confusion import mistakes_of, shown_matrix
from videoguard.report.content import ReportContent
from videoguard.report.figures import NO_FIGURES, scored_metrics, side_by_side
from videoguard.report.score_cells import score_cell
from videoguard.report.section import (
    Cell,
    Diagram,
    Section,
    Table,
    count_cell,
    decimal_cell,
    share_cell,
    text_cell,
)
from videoguard.report.wording import (
    metrics_of,
)

_MOST_CLASSES = 25


def exercises_section(content: ReportContent, title: str, opened_from: Path) -> Section:
    """The mean scores of each exercise."""
    metrics = scored_metrics(content.models)
    samples: dict[str, int] = {}
    for line in side_by_side(content.models):
        if line.known.label is not None:
            samples[line.known.label] = samples.get(line.known.label, 0) + 1
    labels = sorted(
        samples | {label: 0 for model in content.models for label in model.evaluation.by_label if label not in samples}
    )
    headings = [
        "Exercise",
        "Samples",
        *(f"{metric.title}: {model.heading}" for model in content.models for metric in metrics),
    ]
    rows = [
        [
            text_cell(label),
            count_cell(samples.get(label, 0)),
            *(
                score_cell(
                    metric,
                    model.evaluation.by_label.get(label, {}).get(metric.name, NO_FIGURES).mean,
                    content.bands.get(metric.name),
                )
                for model in content.models
                for metric in metrics
            ),
        ]
        for label in labels
    ]
    notes = [] if rows else ["No sample names an exercise, so that there is nothing to tell apart."]
    return Section("per_exercise", title, notes, [Table(headings, rows, is_long=len(rows) > _MOST_CLASSES)] if rows else [])


def confusion_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """What was wanted against what was named; None where nothing was classified."""
    titles = {metric.name: metric.title for metric in metrics_of(content.models)}
    tables = []
    for name, found in content.main.evaluation.classifications.items():
        if not found.classes:
            continue
        matrix = shown_matrix(found, _MOST_CLASSES)
        rows = []
        for figures in matrix.lines:
            cells = []
            for answered in matrix.columns:
                count = matrix.counts.get((figures.label, answered), 0)
                look = "" if not count else "right" if answered == figures.label else "wrong"
                cells.append(Cell(f"{count:,}" if count else "", count, look, strength=count / figures.wanted))
            ends = [
                count_cell(figures.wanted),
                Cell(f"{figures.accuracy:.1%}", figures.accuracy),
                Cell(f"{figures.f1:.3f}", figures.f1),
            ]
            rows.append([text_cell(figures.label), *cells, *ends])
        scope = f" ({_MOST_CLASSES} of {len(found.classes):,} classes, those with most mistakes)"
        words = titles.get(name, name) + (scope if len(found.classes) > _MOST_CLASSES else "")
        tables.append(Table(["Wanted", *matrix.columns, "Samples", "Accuracy", "F1"], rows, words))
        wrong = [
            [text_cell(cell.wanted), text_cell(cell.answered), count_cell(cell.count)] for cell in mistakes_of(found)[:30]
        ]
        if wrong:
            tables.append(Table(["Wanted", "Named instead", "Samples"], wrong, "Most frequent mistakes"))
    note = "A line is a wanted class, a column what the answer names. Blue is right, amber wrong; darker is a larger share."
    return Section("confusion", title, [note], tables) if tables else None


def confidence_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """How far probabilities are right; None where the models gave none."""
    shown = reliabilities(content)
    if not shown:
        return None
    models = [
        [
            text_cell(each.heading),
            *map(count_cell, (each.found.n, each.found.unscored)),
            *map(share_cell, (each.found.accuracy, each.found.probability)),
            *map(decimal_cell, (each.found.calibration_error, each.found.brier)),
        ]
        for each in shown
    ]
    tables = [Table(MODEL_HEADINGS, models)]
    for each in shown:
        bins = [
            [Cell(bin_words(one), one.low), count_cell(one.n), *map(share_cell, (one.probability, one.accuracy))]
            for one in each.found.bins
        ]
        tables.append(Table(["Probability", *BIN_HEADINGS], bins, each.heading))
    return Section("confidence", title, NOTES, tables, diagram=Diagram(CHART_TITLE, ACROSS, UP, DIAGONAL, shown))
