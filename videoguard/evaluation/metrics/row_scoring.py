"""What every metric shares: its declared features, and scores a row with the reason where there is none."""

from collections.abc import Callable, Sequence

import datasets

from videoguard.evaluation.metrics.library import MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults

EMPTY_REFERENCE = "the wanted answer is empty"

_INPUTS = """
Args:
    predictions: answers of the model, one a row; an empty answer is scored like any other.
    references: wanted answers, one a row.
Returns:
    scores: one a row, None where the row cannot be scored.
    reasons: one a row, why it has no score, else None.
"""


def metric_info(description: str, citation: str) -> MetricInfo:
    """Declaration of a metric over pairs of texts."""
    features = {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
    return MetricInfo(
        description=description,
        citation=citation,
        inputs_description=_INPUTS,
        features=datasets.Features(features),
    )


def score_rows(
    predictions: Sequence[str],
    references: Sequence[str],
    *,
    reason_against: Callable[[str], str | None],
    score: Callable[[list[str], list[str]], list[float]],
) -> RowResults:
    """Score all rows that can be scored in one call, each distinct pair of texts once.

    Args:
        predictions: answers, one a row.
        references: wanted answers, one a row.
        reason_against: why a row with this wanted answer cannot be scored, or None where it can.
        score: scores of the remaining predictions and references.
    """
    against = {reference: reason_against(reference) for reference in set(references)}
    reasons = [against[reference] for reference in references]
    kept = [row for row, reason in enumerate(reasons) if reason is None]
    scores: list[float | None] = [None] * len(reasons)
    if kept:
        pairs = list(dict.fromkeys((predictions[row], references[row]) for row in kept))
        found = score([prediction for prediction, _ in pairs], [reference for _, reference in pairs])
        score_of = dict(zip(pairs, found, strict=True))
        for row in kept:
            scores[row] = score_of[predictions[row], references[row]]
    return RowResults(scores=scores, reasons=reasons)


def empty_reference(reference: str) -> str | None:
    """Reason against a wanted answer that holds no text."""
    return None if reference.strip() else EMPTY_REFERENCE
