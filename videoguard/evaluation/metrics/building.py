"""From a metric's name to the metric, with what it needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.errors import UserError
from videoguard.evaluation.metrics.row_scoring import RowResults


class RowMetric(Protocol):
    """A metric as the evaluation uses it: all rows in one call."""

    def compute(self, *, predictions: list[str], references: list[str]) -> RowResults:
        """Scores and reasons, one a row."""
        ...


def build_metric(
    name: str, *, sentence_model: str, state: Path, cache_dir: str, answer_schema: AnswerSchema | None = None
) -> RowMetric:
    """The metric of this name, ready to compute.

    Args:
        name: one of `videoguard.config.MetricName`.
        sentence_model: folder or hub name of the encoder of `bert_similarity`.
        state: state folder; WordNet is looked for there, and copied there where the system has it elsewhere.
        cache_dir: where `evaluate` may put its files.
        answer_schema: what `json_validity` asks of an answer beside being JSON.

    Raises:
        MissingResourceError: WordNet or the encoder cannot be had.
        UserError: there is no such metric.
    """
    if name == "bert_similarity":
        from videoguard.evaluation.metrics.bert_similarity import BertSimilarity
        from videoguard.evaluation.sentence_model import load_sentence_model

        return BertSimilarity(load_sentence_model(sentence_model), cache_dir)
    if name == "meteor":
        from videoguard.evaluation.metrics.meteor import Meteor
        from videoguard.evaluation.wordnet import open_wordnet, provide_wordnet

        return Meteor(open_wordnet(provide_wordnet(state, install=False)), cache_dir)
    from videoguard.evaluation.metrics.exercise_accuracy import ExerciseAccuracy
    from videoguard.evaluation.metrics.json_validity import JsonValidity
    from videoguard.evaluation.metrics.rouge_l import RougeL

    without_needs: Mapping[str, type[RougeL | ExerciseAccuracy]] = {
        "rouge_l": RougeL,
        "exercise_accuracy": ExerciseAccuracy,
    }
    if name == "json_validity":
        return JsonValidity(cache_dir, answer_schema)
    if name not in without_needs:
        known = ("bert_similarity", "meteor", *without_needs, "json_validity")
        raise UserError(f"metric {name!r} is not known: it must be one of {', '.join(known)}")
    return without_needs[name](cache_dir)
