"""How answers are scored."""

from typing import Literal

from videoguard.config.section import Section

MetricName = Literal["bert_similarity", "meteor", "rouge_l", "exercise_accuracy", "json_validity"]


class EvaluationSection(Section):
    """How answers are scored."""

    metrics: tuple[MetricName, ...] = ("bert_similarity", "meteor", "rouge_l", "exercise_accuracy", "json_validity")
    """Metrics to compute."""
    sentence_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """Sentence encoder of the BERT similarity: a folder or a hub name."""
