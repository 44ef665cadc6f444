"""Whether the answer is JSON where JSON was wanted."""

import evaluate

from videoguard.evaluation.metrics.row_scoring import RowResults, metric_info, score_rows
from videoguard.manifests.labels import parse_json


class JsonValidity(evaluate.Metric):  # type: ignore[misc]  # the library has no types
    """1 where the whole answer is a JSON object or array, else 0; only rows whose wanted answer is one are scored."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        return metric_info("Share of the answers that are JSON objects or arrays where one was wanted.", "RFC 8259")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=_reason_against, score=_scores)


def _reason_against(reference: str) -> str | None:
    return None if parse_json(reference) is not None else "no JSON was wanted"


def _scores(predictions: list[str], references: list[str]) -> list[float]:
    assert len(predictions) == len(references)
    return [float(parse_json(prediction) is not None) for prediction in predictions]
