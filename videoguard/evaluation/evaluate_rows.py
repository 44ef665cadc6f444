"""Scores for answered rows: what was scored, what was not and why, and how sure the means are."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.evaluation.metrics.building import RowMetric, build_metric
from videoguard.evaluation.metrics.row_scoring import RowResults
from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.scores import Evaluation, MetricSummary, RowScores
from videoguard.evaluation.statistics import summarise
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.labels import exercise_name


def evaluate_rows(
    rows: Sequence[AnswerRow],
    metrics: Sequence[str],
    *,
    sentence_model: str,
    state: Path,
    seed: int = 0,
    answer_schema: AnswerSchema | None = None,
) -> Evaluation:
    """Score every row by every metric, and summarise each metric over all rows and over the rows of each label.

    A failed row is unscored by every metric; a metric whose resource is missing leaves every row unscored. Both keep
    their reason, and neither raises.

    Args:
        rows: answers of one model.
        metrics: names, as in `videoguard.config.MetricName`.
        sentence_model: folder or hub name of the encoder of `bert_similarity`.
        state: state folder, where WordNet is.
        seed: of the bootstrap intervals.
        answer_schema: what `json_validity` asks of an answer beside being JSON.

    Raises:
        UserError: a metric is not known.
    """
    names = list(dict.fromkeys(metrics))
    failures = [_failure(row) for row in rows]
    results: dict[str, RowResults] = {}
    with tempfile.TemporaryDirectory(prefix="video-guard-metrics-") as cache_dir:
        for name in names:
            try:
                metric = build_metric(
                    name, sentence_model=sentence_model, state=state, cache_dir=cache_dir, answer_schema=answer_schema
                )
            except MissingResourceError as missing:
                results[name] = _unscored(failures, str(missing))
            else:
                results[name] = _score(metric, rows, failures)
    scored = [_row_scores(position, row, failures[position], results) for position, row in enumerate(rows)]
    return Evaluation(
        rows=scored, summary=_summaries(rows, scored, names, seed), by_label=_by_label(rows, scored, names, seed)
    )


def _failure(row: AnswerRow) -> str | None:
    if row.status == "ok" and row.answer is not None:
        return None
    return f"inference failed: {row.error or 'no answer was recorded'}"


def _unscored(failures: Sequence[str | None], reason: str) -> RowResults:
    return RowResults(scores=[None] * len(failures), reasons=[failure or reason for failure in failures])


def _score(metric: RowMetric, rows: Sequence[AnswerRow], failures: Sequence[str | None]) -> RowResults:
    """Results over all rows: failed ones are kept from the metric, and a figure that is no number becomes a reason."""
    results = RowResults(scores=[None] * len(rows), reasons=list(failures))
    answered = [position for position, failure in enumerate(failures) if failure is None]
    if not answered:
        return results
    found = metric.compute(
        predictions=[_writable(rows[position].answer or "") for position in answered],
        references=[_writable(rows[position].reference) for position in answered],
    )
    for position, score, reason in zip(answered, found["scores"], found["reasons"], strict=True):
        if score is not None and not math.isfinite(score):
            score, reason = None, f"the metric gave {score}, which is no number"
        results["scores"][position] = score
        results["reasons"][position] = reason
    return results


def _writable(text: str) -> str:
    # Half a surrogate pair is a valid character of a Python string, but not of the Arrow column that `evaluate` makes.
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _row_scores(position: int, row: AnswerRow, failure: str | None, results: Mapping[str, RowResults]) -> RowScores:
    reasons = {name: result["reasons"][position] for name, result in results.items()}
    return RowScores(
        id=row.id,
        scores={name: result["scores"][position] for name, result in results.items()},
        reasons={name: reason for name, reason in reasons.items() if reason is not None},
        identified=exercise_name(row.answer) if failure is None and row.answer is not None else None,
    )


def _summaries(
    rows: Sequence[AnswerRow], scored: Sequence[RowScores], names: Sequence[str], seed: int
) -> dict[str, MetricSummary]:
    groups = [row.group for row in rows]
    return {name: summarise([scores.scores[name] for scores in scored], groups, seed) for name in names}


def _by_label(
    rows: Sequence[AnswerRow], scored: Sequence[RowScores], names: Sequence[str], seed: int
) -> dict[str, dict[str, MetricSummary]]:
    """Summaries of each label, in the order of first appearance."""
    members: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        if row.label is not None:
            members.setdefault(row.label, []).append(position)
    return {
        label: _summaries([rows[at] for at in positions], [scored[at] for at in positions], names, seed)
        for label, positions in members.items()
    }
