"""Whether the answer is JSON where JSON was wanted."""

from functools import partial

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import metric_info, score_rows
from videoguard.manifests.labels import parse_json


class JsonValidity(Metric):  # type: ignore[misc]  # the library has no types
    """1 where the whole answer is a JSON object or array, else 0; only rows whose wanted answer is one are scored.

    With a schema, 1 where it fits that too.
    """

    def __init__(self, cache_dir: str, schema: AnswerSchema | None = None) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._schema = schema

    def _info(self) -> MetricInfo:
        return metric_info("Share of the answers that are JSON objects or arrays where one was wanted.", "RFC 8259")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=_reason_against, score=partial(_scores, self._schema))


def _reason_against(reference: str) -> str | None:
    return None if parse_json(reference) is not None else "no JSON was wanted"


def _scores(schema: AnswerSchema | None, predictions: list[str], references: list[str]) -> list[float]:
    assert len(predictions) == len(references)
    if schema is None:
        return [float(parse_json(prediction) is not None) for prediction in predictions]
    return [float(schema.find_violation(prediction) is None) for prediction in predictions]
