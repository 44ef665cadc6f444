"""Metrics in human words, and how their figures are written."""

import math
from collections.abc import Iterable

from videoguard.config import Band
from videoguard.report.content import ModelResult

EXERCISE = "exercise_accuracy"

_WORDS = {
    "bert_similarity": "BERT similarity",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    EXERCISE: "Exercise identification",
    "json_validity": "JSON validity",
}
_YES_NO_QUESTIONS = {EXERCISE: "Exercise right?", "json_validity": "JSON valid?"}


def metrics_of(models: Iterable[ModelResult]) -> list[str]:
    """Code names of every metric of the models: the known ones in their usual order, then the others by name."""
    present = {metric for model in models for metric in model.evaluation.summary}
    return [metric for metric in _WORDS if metric in present] + sorted(present - _WORDS.keys())


def metric_words(metric: str) -> str:
    """The metric's name for a reader: `rouge_l` is ROUGE-L."""
    return _WORDS.get(metric) or metric.replace("_", " ").capitalize()


def sample_words(metric: str) -> str:
    """Heading of the metric in the table of samples, where a share of right answers is a question of yes or no."""
    return _YES_NO_QUESTIONS.get(metric) or metric_words(metric)


def is_share(metric: str) -> bool:
    """Whether the metric is right or wrong for each sample, so that its mean is a percentage."""
    return metric in _YES_NO_QUESTIONS


def finite(value: float | None) -> float | None:
    """The value, or None where it is absent, infinite or not a number: such a figure never reaches a file."""
    return value if value is not None and math.isfinite(value) else None


def interval_words(metric: str, low: float | None, high: float | None) -> str:
    """A 95 % interval: `0.612 – 0.683`, or `91.7% – 98.3%` for a share; a dash where there is none."""
    low, high = finite(low), finite(high)
    if low is None or high is None:
        return "–"
    return f"{low:.1%} – {high:.1%}" if is_share(metric) else f"{low:.3f} – {high:.3f}"


def band_words(metric: str, band: Band) -> str:
    """The thresholds of a band: `green ≥ 0.7, yellow ≥ 0.4`."""
    figure = "{:.0%}" if is_share(metric) else "{:g}"
    sign = "≤" if band.lower_is_better else "≥"
    return f"green {sign} {figure.format(band.green)}, yellow {sign} {figure.format(band.yellow)}"


def colour_of(value: float | None, band: Band | None) -> str | None:
    """`green`, `yellow` or `red`; None where there is no value or no band."""
    if value is None or band is None:
        return None
    return band.colour(value)
