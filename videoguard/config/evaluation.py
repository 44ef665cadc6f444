"""How answers are scored."""

from pathlib import Path
from typing import Literal

from videoguard.config.section import Section

MetricName = Literal[
    "bert_similarity",
    "meteor",
    "rouge_l",
    "exercise_accuracy",
    "exercise_exact",
    "exercise_listed",
    "action_top1",
    "action_description",
    "json_validity",
    "json_repaired",
    "json_schema",
    "timeline_valid",
    "timeline_coverage",
    "timeline_sentiment",
    "timeline_redundancy",
    "bleu",
    "chrf",
    "exact_match",
    "answer_words",
]


class EvaluationSection(Section):
    """How answers are scored."""

    metrics: tuple[MetricName, ...] = ("bert_similarity", "meteor", "rouge_l", "exercise_accuracy", "json_validity")
    """Metrics to compute."""
    labels: tuple[str, ...] = ()
    """The known labels, of which `exercise_listed` and `action_top1` choose; empty, the labels of the samples."""
    sentence_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """Sentence encoder of the BERT similarity: a folder or a hub name."""
    custom: Path | None = None
    """Python file with metrics of your own, each a function under `@metric(…)`; they are computed after `metrics`."""
