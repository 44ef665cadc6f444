"""A metric of the user's own."""

from collections.abc import Callable, Sequence

from videoguard.evaluation.custom import check_scores
from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import metric_info


class CustomFunction(Metric):  # type: ignore[misc]  # the library has no types
    """What a function says of all rows. Where it fails, all rows are unscored for that reason; None leaves one unscored."""

    def __init__(
        self, cache_dir: str, function: Callable[[list[str], list[str]], Sequence[float | None]], name: str, about: str
    ) -> None:
        self._about = about
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._function = function
        self._name = name

    def _info(self) -> MetricInfo:
        return metric_info(self._about, "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        rows = len(predictions)
        try:
            scores = self._function(list(predictions), list(references))
            fault = check_scores(scores, rows)
        except Exception as raised:  # noqa: BLE001  whatever the user's code raises becomes the rows' reason
            fault = f"it raised {type(raised).__name__}: {raised}"
        if fault is not None:
            return RowResults(scores=[None] * rows, reasons=[f"{self._name}: {fault}"] * rows)
        return RowResults(
            scores=[None if score is None else float(score) for score in scores],
            reasons=[f"{self._name} gave no score" if score is None else None for score in scores],
        )
