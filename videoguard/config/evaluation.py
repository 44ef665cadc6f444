"""How answers are scored."""

from pathlib import Path
from typing import Literal

from videoguard.config.section import PositiveFloat, PositiveInt, Section

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


class JudgeSection(Section):
    """A language model that rates each answer against the wanted one, from 1 to 5."""

    model: str
    """Folder or hub name of a causal language model, or the model's name at the server of `url`."""
    url: str | None = None
    """OpenAI-compatible server, such as http://127.0.0.1:8000/v1; absent, the model runs here."""
    api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the server's key, where it wants one."""
    max_new_tokens: PositiveInt = 128
    """Longest reply, tokens."""
    concurrency: PositiveInt = 8
    """Answers that the server is asked about at once."""
    timeout_s: PositiveFloat = 120.0
    """Longest wait for a reply of the server, seconds."""


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
    judge: JudgeSection | None = None
    """Who rates the answers; absent, nobody does."""
