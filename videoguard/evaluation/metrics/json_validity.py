"""Whether the answer is JSON where JSON was wanted, and whether it fits its schema."""

from functools import partial

import evaluate

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import metric_info, score_rows
from videoguard.manifests.labels import parse_json


class JsonValidity(evaluate.Metric):  # type: ignore[misc]  # the library has no types
    """1 where the whole answer is a JSON object or array, else 0; only rows whose wanted answer is one are scored."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        return metric_info("Share of the answers that are JSON objects or arrays where one was wanted.", "RFC 8259")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=_reason_against, score=_are_json)


class JsonSchema(evaluate.Metric):  # type: ignore[misc]
    """1 where the whole answer is JSON that fits a schema, else 0; only rows whose wanted answer is JSON are scored.

    Without a schema no row is.
    """

    def __init__(self, cache_dir: str, schema: AnswerSchema | None) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._schema = schema

    def _info(self) -> evaluate.MetricInfo:
        return metric_info("Share of the answers that fit their JSON Schema.", "JSON Schema, https://json-schema.org")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        if self._schema is None:
            reason = "there is no JSON Schema: dataset.answer is absent"
            return RowResults(scores=[None] * len(references), reasons=[reason] * len(references))
        score = partial(_fit_schema, self._schema)
        return score_rows(predictions, references, reason_against=_reason_against, score=score)


def _reason_against(reference: str) -> str | None:
    return None if parse_json(reference) is not None else "no JSON was wanted"


def _are_json(predictions: list[str], references: list[str]) -> list[float]:
    assert len(predictions) == len(references)
    return [float(parse_json(prediction) is not None) for prediction in predictions]


def _fit_schema(schema: AnswerSchema, predictions: list[str], references: list[str]) -> list[float]:
    assert len(predictions) == len(references)
    return [float(schema.find_violation(prediction) is None) for prediction in predictions]
