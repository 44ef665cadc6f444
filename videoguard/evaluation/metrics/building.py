"""From a metric's name to the metric, with what it needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from videoguard.errors import UserError
from videoguard.evaluation.metrics.row_scoring import RowResults


class RowMetric(Protocol):
    """A metric as the evaluation uses it: all rows in one call."""

    def compute(self, *, predictions: list[str], references: list[str]) -> RowResults:
        """Scores and reasons, one a row."""
        ...


def build_metric(name: str, *, sentence_model: str, state: Path, cache_dir: str) -> RowMetric:
    """The metric of this name, ready to compute.

    Args:
        name: one of `videoguard.config.MetricName`.
        sentence_model: folder or hub name of the encoder of `bert_similarity`.
        state: state folder; WordNet is looked for there, and copied there where the system has it elsewhere.
        cache_dir: where `evaluate` may put its files.

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

    without_needs: Mapping[str, type[RougeL | ExerciseAccuracy | JsonValidity]] = {
        "rouge_l": RougeL,
        "exercise_accuracy": ExerciseAccuracy,
        "json_validity": JsonValidity,
    }
    if name not in without_needs:
        raise UserError(
            f"metric {name!r} is not known: it must be one of bert_similarity, meteor, {', '.join(without_needs)}"
        )
    return without_needs[name](cache_dir)
