"""Summaries of scores: mean, spread, and how sure the mean is."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from videoguard.evaluation.scores import MetricSummary

RESAMPLES = 2000
_TAILS = (0.025, 0.975)
_DRAWS_AT_ONCE = 1 << 22

FloatArray = npt.NDArray[np.float64]


def summarise(scores: Sequence[float | None], groups: Sequence[str], seed: int = 0) -> MetricSummary:
    """Summary of one metric; unscored rows (None) are counted and enter no other figure.

    The interval is the 95 % percentile bootstrap of the mean with whole groups resampled, because rows of one source
    video are not independent (Efron and Tibshirani 1993, chapter 13; Davison and Hinkley 1997, section 3.8).

    Args:
        scores: one a row, finite.
        groups: source video of each row.
        seed: of the resampling; equal input gives equal figures, whatever was summarised before.
    """
    scored = [(score, group) for score, group in zip(scores, groups, strict=True) if score is not None]
    unscored = len(scores) - len(scored)
    if not scored:
        return MetricSummary(n=0, unscored=unscored)
    values = np.array([score for score, _ in scored], dtype=np.float64)
    assert np.isfinite(values).all(), "scores must be finite"
    members = [group for _, group in scored]
    low, high = bootstrap_interval(values, members, seed) or (None, None)
    return MetricSummary(
        n=len(values),
        unscored=unscored,
        mean=float(values.mean()),
        ci_low=low,
        ci_high=high,
        median=float(np.median(values)),
        std=float(values.std(ddof=1)) if len(values) > 1 else None,
        min=float(values.min()),
        max=float(values.max()),
        standard_error=standard_error(values, members),
    )


def standard_error(values: FloatArray, groups: Sequence[str]) -> float | None:
    """Standard error of the mean, clustered by group (Liang and Zeger 1986, with the factor G/(G-1)); None for one group.

    With one row a group it is the sample standard deviation over the root of the number of rows.

    Args:
        values: scores of shape (rows,).
        groups: source video of each row.
    """
    _, membership = np.unique(np.array(groups), return_inverse=True)
    residuals = np.bincount(membership, weights=values - values.mean())
    count = len(residuals)
    if count < 2:
        return None
    return float(np.sqrt(count / (count - 1) * np.square(residuals).sum()) / len(values))


def bootstrap_interval(values: FloatArray, groups: Sequence[str], seed: int) -> tuple[float, float] | None:
    """Bounds of the 95 % cluster bootstrap interval of the mean; None for a single group, which tells nothing of spread.

    Args:
        values: scores of shape (rows,).
        groups: source video of each row.
        seed: of the resampling.
    """
    _, membership = np.unique(np.array(groups), return_inverse=True)
    sums = np.bincount(membership, weights=values)
    sizes = np.bincount(membership).astype(np.float64)
    count = len(sums)
    if count < 2:
        return None
    random = np.random.default_rng(seed)
    means: list[FloatArray] = []
    per_round = max(1, _DRAWS_AT_ONCE // count)
    for start in range(0, RESAMPLES, per_round):
        rounds = min(per_round, RESAMPLES - start)
        drawn = random.integers(0, count, size=(rounds, count))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), _TAILS)
    return float(low), float(high)
