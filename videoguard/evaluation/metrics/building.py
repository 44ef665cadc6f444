"""From a metric's name to the metric, with what it needs."""

from pathlib import Path

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.errors import UserError
from videoguard.evaluation.metrics.catalogue import Ingredients, known_metrics
from videoguard.evaluation.metrics.row_metric import RowMetric


def build_metric(
    name: str,
    *,
    sentence_model: str,
    state: Path,
    cache_dir: str,
    answer_schema: AnswerSchema | None = None,
    labels: tuple[str, ...] = (),
) -> RowMetric:
    """The metric of this name, ready to compute.

    Args:
        name: one of `videoguard.config.MetricName`.
        sentence_model: folder or hub name of the sentence encoder.
        state: state folder; WordNet is looked for there, and copied there where the system has it elsewhere.
        cache_dir: where `evaluate` may put its files.
        answer_schema: what `json_schema` asks of an answer.
        labels: the known labels.

    Raises:
        MissingResourceError: WordNet or the encoder cannot be had.
        UserError: there is no such metric.
    """
    known = known_metrics()
    if name not in known:
        raise UserError(f"metric {name!r} is not known: it must be one of {', '.join(known)}")
    return known[name].build(Ingredients(cache_dir, state, sentence_model, answer_schema, labels))
