"""Metrics in human words, and how their figures are written."""

import math
from collections.abc import Iterable

from videoguard.config import Band
from videoguard.evaluation.scores import MetricFacts, Scale
from videoguard.report.content import ModelResult

EXERCISE = "exercise_accuracy"

_QUESTIONS = {EXERCISE: "Exercise right?", "json_validity": "JSON valid?"}
_FIGURES: dict[Scale, str] = {"yes_no": "{:.1%}", "share": "{:.3f}", "rating": "{:.2f}", "count": "{:,.1f}"}


def metrics_of(models: Iterable[ModelResult]) -> list[MetricFacts]:
    """What a reader must know of every metric of the models: in the order of the evaluations, undescribed ones last."""
    models = list(models)
    present = {name for model in models for name in model.evaluation.summary}
    facts = {name: fact for model in reversed(models) for name, fact in model.evaluation.metrics.items()}
    known = [fact for name, fact in facts.items() if name in present]
    return known + [MetricFacts(name=name, title=_words(name)) for name in sorted(present - facts.keys())]


def sample_words(metric: MetricFacts) -> str:
    """Heading of the metric in a table of samples, where right or wrong is a question of yes or no."""
    if not is_yes_no(metric):
        return metric.title
    return _QUESTIONS.get(metric.name) or f"{metric.title}?"


def is_yes_no(metric: MetricFacts) -> bool:
    """Whether the metric is right or wrong for each sample, so that its mean is a percentage."""
    return metric.scale == "yes_no"


def is_unit(metric: MetricFacts) -> bool:
    """Whether the metric's scores end at 1, so that it can stand beside others in a chart."""
    return metric.scale in ("yes_no", "share")


def finite(value: float | None) -> float | None:
    """The value, or None where it is absent, infinite or not a number: such a figure never reaches a file."""
    return value if value is not None and math.isfinite(value) else None


def figure_words(metric: MetricFacts, value: float | None) -> str:
    """A score or a mean: `0.612`, or `91.7%` for a share of right answers; a dash where there is none."""
    known = finite(value)
    return "–" if known is None else _FIGURES[metric.scale].format(known)


def difference_words(metric: MetricFacts, value: float | None) -> str:
    """A difference of two scores or means, with its sign: `+0.021`, or `+3.1% pts`; a dash where there is none."""
    known = finite(value)
    if known is None:
        return "–"
    words = _FIGURES[metric.scale].replace(":", ":+").format(known)
    return f"{words} pts" if is_yes_no(metric) else words


def interval_words(metric: MetricFacts, low: float | None, high: float | None) -> str:
    """A 95 % interval: `0.612 – 0.683`, or `91.7% – 98.3%` for a share of right answers; a dash where there is none."""
    if finite(low) is None or finite(high) is None:
        return "–"
    return f"{figure_words(metric, low)} – {figure_words(metric, high)}"


def band_words(metric: MetricFacts, band: Band) -> str:
    """The thresholds of a band: `green ≥ 0.7, yellow ≥ 0.4`."""
    figure = "{:.0%}" if is_yes_no(metric) else "{:g}"
    sign = "≤" if band.lower_is_better else "≥"
    return f"green {sign} {figure.format(band.green)}, yellow {sign} {figure.format(band.yellow)}"


def colour_of(value: float | None, band: Band | None) -> str | None:
    """`green`, `yellow` or `red`; None where there is no value or no band."""
    if value is None or band is None:
        return None
    return band.colour(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
