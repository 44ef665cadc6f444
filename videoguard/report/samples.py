"""Which samples are shown with their frames: the worst and the best of the last model."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from videoguard.config import SamplesSection
from videoguard.evaluation.scores import MetricFacts
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.figures import SampleLine, score_of, side_by_side
from videoguard.report.wording import is_yes_no, metrics_of


@dataclass(frozen=True, slots=True)
class ShownSamples:
    """The samples to show, and the metric that ranks them."""

    metric: MetricFacts
    worst: list[SampleLine]
    """The worst first: the lowest, where higher is better."""
    best: list[SampleLine]
    """The best first; none of them is among the worst."""


def shown_samples(models: Sequence[ModelResult], section: SamplesSection) -> ShownSamples | None:
    """The samples to show; None where the last model has no score. Unscored samples are not shown: they are in Errors.

    Equal scores are told apart by the mean of all scores of the sample, then by their order. Of fewer samples than are
    asked for, the worst and the best get their parts in proportion.
    """
    lines = [line for line in side_by_side(models) if line.scores is not None]
    metric = ranking_metric(models[-1], section)
    if metric is None or section.worst + section.best == 0:
        return None
    sign = -1.0 if metric.better == "lower" else 1.0
    judged = [line for line in lines if score_of(line.scores, metric.name) is not None]
    ranked = sorted(judged, key=lambda line: _rank(line, metric, sign))
    if not ranked:
        return None
    worst = section.worst
    if len(ranked) < section.worst + section.best:
        worst = -(-len(ranked) * section.worst // (section.worst + section.best))
    best = min(section.best, len(ranked) - worst)
    return ShownSamples(metric, ranked[:worst], ranked[len(ranked) - best :][::-1])


def ranking_metric(model: ModelResult, section: SamplesSection) -> MetricFacts | None:
    """The metric that ranks: the one that was chosen, else the first that is more than right or wrong, else the first."""
    scored = [
        metric for metric in metrics_of([model]) if model.evaluation.summary[metric.name].n > 0 and metric.better is not None
    ]
    chosen = [metric for metric in scored if metric.name == section.ranked_by]
    graded = [metric for metric in scored if not is_yes_no(metric)]
    return next(iter(chosen or graded or scored), None)


def pictured_videos(content: ReportContent) -> list[str]:
    """Videos whose frames the report shows, each once."""
    shown = shown_samples(content.models, content.samples)
    lines = [] if shown is None else [*shown.worst, *shown.best]
    return list(dict.fromkeys(line.known.video for line in lines if line.known.video is not None))


def _rank(line: SampleLine, metric: MetricFacts, sign: float) -> tuple[float, float]:
    score = score_of(line.scores, metric.name)
    assert score is not None
    assert line.scores is not None
    scores = [value for name in line.scores.scores if (value := score_of(line.scores, name)) is not None]
    return sign * score, fmean(scores)
