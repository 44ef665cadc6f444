"""Whether the answer names the wanted exercise."""

import evaluate

from videoguard.evaluation.metrics.row_scoring import RowResults, empty_reference, metric_info, score_rows
from videoguard.manifests.labels import exercise_name, same_exercise


class ExerciseAccuracy(evaluate.Metric):  # type: ignore[misc]  # the library has no types
    """1 where the answer names the exercise of the wanted answer, else 0; an answer that names none is 0."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        return metric_info("Share of the answers that name the wanted exercise.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=_reason_against, score=_scores)


def _reason_against(reference: str) -> str | None:
    if empty := empty_reference(reference):
        return empty
    return None if exercise_name(reference) else "the wanted answer names no exercise"


def _scores(predictions: list[str], references: list[str]) -> list[float]:
    return [
        float(same_exercise(exercise_name(prediction), exercise_name(reference)))
        for prediction, reference in zip(predictions, references, strict=True)
    ]
