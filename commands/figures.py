"""How figures of scores stand in the tables of the terminal."""

from videoguard.evaluation.calibration import Calibration
from videoguard.evaluation.comparison import PairedDifference
from videoguard.evaluation.scores import MetricSummary

_COLOURS = {"better": "green", "worse": "red"}


def summary_words(summary: MetricSummary) -> str:
    """Mean with its 95 % interval and n; what was unscored is told beside it."""
    unscored = f", {summary.unscored} unscored" if summary.unscored else ""
    if summary.mean is None:
        return f"[dim]none scored ({summary.unscored})[/dim]"
    interval = "" if summary.ci_low is None else f"\\[{summary.ci_low:.3f}, {summary.ci_high:.3f}] "
    return f"{summary.mean:.3f} [dim]{interval}n={summary.n}{unscored}[/dim]"


def calibration_words(found: Calibration) -> str:
    """How far the probabilities of labels are from how often they are right."""
    unscored = f", {found.unscored:,} not scored" if found.unscored else ""
    return (
        f"calibration error {found.calibration_error:.3f}, Brier score {found.brier:.3f} "
        f"(n={found.n:,}{unscored}; right {found.accuracy:.1%}, mean probability {found.probability:.1%})"
    )


def difference_words(pair: PairedDifference | None) -> str:
    """The difference, green where the second model is shown to be better, red where it is shown to be worse."""
    if pair is None or pair.difference is None:
        return ""
    colour = _COLOURS.get(pair.verdict or "")
    difference = f"{pair.difference:+.3f}"
    return difference if colour is None else f"[{colour}]{difference}[/{colour}]"


def interval_words(pair: PairedDifference) -> str:
    """95 % interval of the difference, or a dash where there is none."""
    return "–" if pair.ci_low is None else f"\\[{pair.ci_low:+.3f}, {pair.ci_high:+.3f}]"


def p_words(p_value: float | None) -> str:
    """A p-value: `0.013`, `< 0.001`, or a dash where nothing was tested."""
    if p_value is None:
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
