"""Whether the answer names the wanted exercise: as a name, letter by letter, or anywhere in it."""

from collections.abc import Callable

from videoguard.evaluation.label_list import LabelList
from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import Named, RowResults
from videoguard.evaluation.metrics.row_scoring import empty_reference, metric_info, score_rows
from videoguard.manifests.labels import exercise_name, normalize_name, same_exercise


class ExerciseAccuracy(Metric):  # type: ignore[misc]  # the library has no types
    """1 where the answer names the exercise of the wanted answer, else 0; an answer that names none is 0.

    Names are compared without case, hyphens and white space.
    """

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the answers that name the wanted exercise.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return _score(predictions, references, exercise_name, same_exercise)


class ExerciseExact(Metric):  # type: ignore[misc]  # the library has no types
    """1 where the answer writes the name of the exercise exactly as the wanted answer does, else 0."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the answers that name the exercise exactly as the wanted answer writes it.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        found = _score(predictions, references, exercise_name, lambda named, wanted: named is not None and named == wanted)
        # Its classes would be those of `ExerciseAccuracy`, which sees one exercise in two spellings.
        return RowResults(scores=found["scores"], reasons=found["reasons"])


class ExerciseListed(Metric):  # type: ignore[misc]  # the library has no types
    """1 where the one known label that the answer mentions, anywhere, is the wanted exercise, else 0.

    An answer that begins with a name is taken at its word; else the labels that stand in it count, the longer one where one
    holds the other. Of two different ones neither counts.
    """

    def __init__(self, cache_dir: str, labels: LabelList) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._labels = labels

    def _info(self) -> MetricInfo:
        return metric_info("Share of the answers whose only known label is the wanted exercise.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return _score(predictions, references, self._labels.find, same_exercise)


def _score(
    predictions: list[str],
    references: list[str],
    find_name: Callable[[str], str | None],
    agrees: Callable[[str | None, str | None], bool],
) -> RowResults:
    def score(answers: list[str], wanted: list[str]) -> list[float]:
        return [
            float(agrees(find_name(answer), exercise_name(reference)))
            for answer, reference in zip(answers, wanted, strict=True)
        ]

    results = score_rows(predictions, references, reason_against=_reason_against, score=score)
    classes: list[list[Named]] = []
    for scored, prediction, reference in zip(results["scores"], predictions, references, strict=True):
        wanted = None if scored is None else exercise_name(reference)
        classes.append([] if wanted is None else [(wanted, find_name(prediction))])
    return RowResults(scores=results["scores"], reasons=results["reasons"], classes=classes)


def _reason_against(reference: str) -> str | None:
    if empty := empty_reference(reference):
        return empty
    name = exercise_name(reference)
    return None if name and normalize_name(name) else "the wanted answer names no exercise"
