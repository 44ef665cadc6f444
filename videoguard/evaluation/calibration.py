"""Whether a model is right as often as it says: its label probabilities against how often the label was right.

Expected calibration error: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2. Brier score: of the
probability that the predicted label is right (Brier 1950; scikit-learn's `brier_score_loss` of right or wrong).
"""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from videoguard.inference.rows import AnswerRow
from videoguard.manifests.labels import same_exercise

BINS = 10


class ReliabilityBin(BaseModel):
    """The rows whose probability lies above `low`, and at `high` at most. Figures are None where there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float
    high: float
    n: int
    probability: float | None = None
    """Mean probability of the predicted label."""
    accuracy: float | None = None
    """Share of the predicted labels that are right."""


class Calibration(BaseModel):
    """Scored labels against the wanted ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    """Rows with a scored and a wanted label."""
    unscored: int
    """Rows without: failed ones, and those whose sample or answer has no label."""
    accuracy: float
    """Share of the likeliest labels that are the wanted ones."""
    probability: float
    """Mean probability of the likeliest labels; above the accuracy the model is too sure of itself."""
    calibration_error: float
    """Expected calibration error: mean distance of probability and accuracy over the bins, weighted by their rows."""
    brier: float
    """Mean squared distance of the probability from 1 where the label is right, and from 0 where it is not."""
    bins: list[ReliabilityBin]
    """Of equal width, from 0 to 1."""

    @property
    def headline(self) -> dict[str, float]:
        """The two figures that sum it up, as MLflow and the run's summary name them."""
        return {"calibration_error": self.calibration_error, "brier": self.brier}


def calibrate(rows: Sequence[AnswerRow]) -> Calibration | None:
    """Calibration of the label probabilities of rows; None where no row has one beside a wanted label."""
    scored = [
        (row.label_probability, same_exercise(row.predicted_label, row.label))
        for row in rows
        if row.label_probability is not None and row.predicted_label is not None and row.label is not None
    ]
    if not scored:
        return None
    probabilities = np.array([probability for probability, _ in scored], dtype=np.float64)
    right = np.array([is_right for _, is_right in scored], dtype=np.float64)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # Right-closed, as in the paper; a probability of 0 is in the first.
    places = np.clip(np.searchsorted(edges, probabilities, side="left") - 1, 0, BINS - 1)
    bins = [
        _bin(edges[place : place + 2].tolist(), probabilities[places == place], right[places == place])
        for place in range(BINS)
    ]
    gaps = [
        each.n * abs(each.probability - each.accuracy)
        for each in bins
        if each.probability is not None and each.accuracy is not None
    ]
    return Calibration(
        n=len(scored),
        unscored=len(rows) - len(scored),
        accuracy=float(right.mean()),
        probability=float(probabilities.mean()),
        calibration_error=float(sum(gaps) / len(scored)),
        brier=float(((probabilities - right) ** 2).mean()),
        bins=bins,
    )


def _bin(edges: Sequence[float], probabilities: np.ndarray, right: np.ndarray) -> ReliabilityBin:
    low, high = (round(edge, 12) for edge in edges)
    if not len(probabilities):
        return ReliabilityBin(low=low, high=high, n=0)
    return ReliabilityBin(
        low=low, high=high, n=len(probabilities), probability=float(probabilities.mean()), accuracy=float(right.mean())
    )
