"""What is told of the nights: the trend of the champion, the comparison with earlier nights, and drift."""

from collections.abc import Sequence
from dataclasses import dataclass

from videoguard.evaluation.scores import MetricFacts, MetricSummary
from videoguard.nights.night import EarlierComparison, Night, started_words

CHAMPION = "champion"
MOST_SHOWN = 60
"""Nights of the trend, the newest."""
NIGHT_HEADINGS = ("No.", "Night", "Outcome", "Champion", "Samples", "Answers made")
PAIR_HEADINGS = (
    "Against the night",
    "Metric",
    "Then",
    "Tonight",
    "Difference",
    "Samples",
    "Better",
    "Worse",
    "p, corrected",
)
DRIFT_HEADINGS = ("What", "Earlier videos", "New videos", "Change", "Distance", "p-value", "p, corrected", "Verdict")
DRIFT_NOTE = (
    "New videos against those of the oldest night compared with. Distance: Wasserstein in standard deviations of the "
    "earlier videos; of labels Jensen-Shannon, 0 to 1; of scores the difference of the means."
)


@dataclass(frozen=True, slots=True)
class NightLine:
    """One night of the trend."""

    number: int
    night: Night
    scores: Sequence[MetricSummary | None]
    """Of the champion, in the order of `trend_metrics`."""

    @property
    def texts(self) -> tuple[str, str, str]:
        """When, outcome, version."""
        champion = self.night.asked.get(CHAMPION)
        version = "none" if champion is None or champion.version is None else f"version {champion.version}"
        return started_words(self.night.started), self.night.outcome, version


@dataclass(frozen=True, slots=True)
class DriftLine:
    """One property of the new videos."""

    what: str
    earlier: int
    new: int
    change: str
    distance: float | None
    p_value: float | None
    p_corrected: float | None
    verdict: str


def trend_metrics(nights: Sequence[Night]) -> list[MetricFacts]:
    """The metrics that the champion was ever scored by."""
    facts = {name: each for night in nights for name, each in night.metrics.items()}
    scored = {
        name
        for night in nights
        for name, found in (night.asked[CHAMPION].scores if CHAMPION in night.asked else {}).items()
        if found.mean is not None
    }
    return [each for name, each in facts.items() if name in scored]


def night_lines(nights: Sequence[Night], metrics: Sequence[MetricFacts]) -> list[NightLine]:
    """The newest nights, oldest first, numbered from the first night of all."""
    first = max(0, len(nights) - MOST_SHOWN)
    return [
        NightLine(
            first + place,
            night,
            [night.asked[CHAMPION].scores.get(metric.name) if CHAMPION in night.asked else None for metric in metrics],
        )
        for place, night in enumerate(nights[first:], start=1)
    ]


def comparison_words(found: EarlierComparison) -> str:
    """How the samples of an earlier night and of tonight go together."""
    version = "" if found.version is None else f" (version {found.version})"
    return f"{found.night}{version}: {found.samples:,} samples of both, {found.added:,} new, {found.removed:,} gone"


def drift_lines(night: Night) -> list[DriftLine]:
    """Properties of the inputs, then the champion's scores; empty where no sample is new."""
    inputs = [
        DriftLine(
            shift.name,
            shift.earlier,
            shift.new,
            shift.words,
            shift.distance,
            shift.p_value,
            shift.p_corrected,
            "drifted" if shift.drifted else "too few videos" if shift.p_value is None else "not shown",
        )
        for shift in night.input_shifts
    ]
    scores = [
        DriftLine(
            f"score: {shift.metric}",
            shift.earlier,
            shift.new,
            f"mean {shift.earlier_mean:.3f} to {shift.new_mean:.3f}",
            shift.new_mean - shift.earlier_mean,
            shift.p_value,
            shift.p_corrected,
            "too few videos" if shift.p_value is None else "see the outcome of the night",
        )
        for shift in night.score_shifts
    ]
    return [*inputs, *scores]
