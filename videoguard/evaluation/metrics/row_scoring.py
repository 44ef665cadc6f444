"""What every metric shares: its declared features, and scores a row with the reason where there is none."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import datasets
import evaluate

EMPTY_REFERENCE = "the wanted answer is empty"

_INPUTS = """
Args:
    predictions: answers of the model, one a row; an empty answer is scored like any other.
    references: wanted answers, one a row.
Returns:
    scores: one a row, None where the row cannot be scored.
    reasons: one a row, why it has no score, else None.
"""


class RowResults(TypedDict):
    """What `compute` of each metric returns: two lists as long as its input, and in its order."""

    scores: list[float | None]
    reasons: list[str | None]


def metric_info(description: str, citation: str) -> evaluate.MetricInfo:
    """Declaration of a metric over pairs of texts."""
    features = {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
    return evaluate.MetricInfo(
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
    """Score all rows that can be scored in one call.

    Args:
        predictions: answers, one a row.
        references: wanted answers, one a row.
        reason_against: why a row with this wanted answer cannot be scored, or None where it can.
        score: scores of the remaining predictions and references.
    """
    reasons = [reason_against(reference) for reference in references]
    kept = [row for row, reason in enumerate(reasons) if reason is None]
    scores: list[float | None] = [None] * len(reasons)
    if kept:
        found = score([predictions[row] for row in kept], [references[row] for row in kept])
        for row, value in zip(kept, found, strict=True):
            scores[row] = value
    return RowResults(scores=scores, reasons=reasons)


def empty_reference(reference: str) -> str | None:
    """Reason against a wanted answer that holds no text."""
    return None if reference.strip() else EMPTY_REFERENCE
