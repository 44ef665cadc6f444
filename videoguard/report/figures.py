"""What the sheets say beyond the summaries: colours counted, reasons counted, samples put side by side."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from videoguard.config import Band
from videoguard.evaluation.scores import MetricFacts, MetricSummary, RowScores
from videoguard.inference.rows import AnswerRow
from videoguard.report.content import ModelResult
from videoguard.report.reasons import rules_of
from videoguard.report.wording import colour_of, finite, metrics_of

NO_FIGURES = MetricSummary(n=0, unscored=0)
"""Stands for a metric that an evaluation does not have."""


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One sample: the row of each model, in the order of the models, and the scores of the last one."""

    rows: tuple[AnswerRow | None, ...]
    scores: RowScores | None

    @property
    def known(self) -> AnswerRow:
        """A row that tells the sample's video, question and wanted answer; the last model's own where it has one."""
        return next(row for row in reversed(self.rows) if row is not None)


@dataclass(frozen=True, slots=True)
class UnscoredReason:
    """How many samples of a model lack these metrics for one reason."""

    model: ModelResult
    metrics: tuple[str, ...]
    reason: str
    samples: int


def mean_of(model: ModelResult, metric: str) -> float | None:
    """The model's mean of the metric, or None where it scored no sample."""
    return finite(model.evaluation.summary.get(metric, NO_FIGURES).mean)


def scored_metrics(models: Sequence[ModelResult]) -> list[MetricFacts]:
    """The metrics that scored at least one sample of one model, in their usual order."""
    return [metric for metric in metrics_of(models) if any(mean_of(model, metric.name) is not None for model in models)]


def score_of(scores: RowScores | None, metric: str) -> float | None:
    """The score, or None where the sample was not scored by the metric."""
    return None if scores is None else finite(scores.scores.get(metric))


def why_unscored(row: AnswerRow | None, scores: RowScores | None, metric: str) -> str:
    """The recorded reason why a sample has no score by the metric."""
    if scores is not None and metric in scores.reasons:
        return scores.reasons[metric]
    if scores is not None and scores.scores.get(metric) is not None:
        return "the score is not a finite number"
    if row is None:
        return "this model was not asked"
    if row.status == "failed":
        return row.error or "failed, no reason recorded"
    return "no reason recorded"


def side_by_side(models: Sequence[ModelResult]) -> list[SampleLine]:
    """Every sample of any model once: in the order of the last model's rows, then those that only earlier models have."""
    by_id = [{row.id: row for row in model.rows} for model in models]
    scores = {entry.id: entry for entry in models[-1].evaluation.rows}
    ids = dict.fromkeys(row.id for model in reversed(models) for row in model.rows)
    return [SampleLine(tuple(rows.get(id_) for rows in by_id), scores.get(id_)) for id_ in ids]


def count_colours(model: ModelResult, metric: MetricFacts, band: Band) -> Counter[str | None]:
    """Scored samples by colour; unscored ones are in none."""
    values = (score_of(scores, metric.name) for scores in model.evaluation.rows)
    return Counter(colour_of(value, band) for value in values if value is not None)


def unscored_reasons(model: ModelResult, metrics: Iterable[str]) -> list[UnscoredReason]:
    """Why samples of the model are unscored, the most frequent reason first; metrics with one reason stand together.

    Reasons that differ only in the values they name are one.
    """
    scores = {entry.id: entry for entry in model.evaluation.rows}
    wanted = [metric for metric in metrics if metric in model.evaluation.summary]
    found: list[tuple[str, tuple[str, ...]]] = []
    for row in model.rows:
        by_reason: dict[str, list[str]] = {}
        for metric in wanted:
            if score_of(scores.get(row.id), metric) is None:
                by_reason.setdefault(why_unscored(row, scores.get(row.id), metric), []).append(metric)
        found += [(reason, tuple(lacking)) for reason, lacking in by_reason.items()]
    rules = rules_of(reason for reason, _ in found)
    counts = Counter((rules[reason], lacking) for reason, lacking in found)
    return [UnscoredReason(model, lacking, reason, samples) for (reason, lacking), samples in counts.most_common()]
