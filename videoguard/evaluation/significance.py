"""Tests of paired differences: bootstrap by source video, McNemar, and the correction for several of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 4999
"""The least p-value of the bootstrap is 1 / 5,000."""
_TAILS = (0.025, 0.975)
_DRAWS_AT_ONCE = 1 << 22

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resampled:
    """What resampling says of a mean difference; all None where the rows are of one group."""

    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None


def paired_bootstrap(differences: FloatArray, groups: Sequence[str], seed: int) -> list[Resampled]:
    """95 % percentile interval and two-sided p-value of each column's mean, whole groups resampled together.

    The p-value is the share of resamples whose mean lies as far from the observed mean as that lies from zero, the observed
    sample counted among them (Efron and Tibshirani 1993, chapter 16; Davison and Hinkley 1997, section 4.4).

    Args:
        differences: of shape (rows, tests); NaN where a row is not scored in a test.
        groups: source video of each row.
        seed: of the resampling. All tests see the same resamples.
    """
    _, membership = np.unique(np.array(groups, dtype=str), return_inverse=True)
    count = int(membership.max()) + 1 if len(membership) else 0
    scored = ~np.isnan(differences)
    sums = np.zeros((count, differences.shape[1]))
    sizes = np.zeros_like(sums)
    np.add.at(sums, membership, np.where(scored, differences, 0.0))
    np.add.at(sizes, membership, scored.astype(np.float64))
    if count < 2:
        return [Resampled() for _ in range(differences.shape[1])]
    means = []
    for weights in _resamples(count, seed):
        with np.errstate(invalid="ignore"):
            means.append((weights @ sums) / (weights @ sizes))
    drawn = np.concatenate(means)
    return [_resampled(drawn[:, test], sums[:, test], sizes[:, test]) for test in range(differences.shape[1])]


def mcnemar_exact(better: int, worse: int) -> float:
    """Two-sided p-value of McNemar's exact test: better and worse are equally likely (McNemar 1947)."""
    from scipy.stats import binomtest

    if better + worse == 0:
        return 1.0
    return float(binomtest(better, better + worse).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being several, so that one false finding among all stays as rare as one test's (Holm 1979)."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, test in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[test]))
        corrected[test] = highest
    return corrected


def _resamples(groups: int, seed: int) -> Iterator[FloatArray]:
    """How often each group was drawn, of shape (resamples, groups), in parts that fit in memory."""
    random = np.random.default_rng(seed)
    at_once = max(1, _DRAWS_AT_ONCE // groups)
    for start in range(0, RESAMPLES, at_once):
        rounds = min(at_once, RESAMPLES - start)
        drawn = random.integers(0, groups, size=(rounds, groups)) + np.arange(rounds)[:, None] * groups
        yield np.bincount(drawn.ravel(), minlength=rounds * groups).reshape(rounds, groups).astype(np.float64)


def _resampled(drawn: FloatArray, sums: FloatArray, sizes: FloatArray) -> Resampled:
    if np.count_nonzero(sizes) < 2:
        return Resampled()
    # A resample may miss every row that the test has a score of.
    drawn = drawn[np.isfinite(drawn)]
    observed = sums.sum() / sizes.sum()
    low, high = np.quantile(drawn, _TAILS)
    # Equal sums in another order differ in their last bits.
    as_far = np.abs(drawn - observed) >= abs(observed) - 1e-12
    return Resampled(float(low), float(high), float((1 + np.count_nonzero(as_far)) / (1 + len(drawn))))
