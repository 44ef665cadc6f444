"""Whether the new samples are of another kind than the earlier ones: their videos, their labels, and how they score.

New samples are compared with those of an earlier night, and not tonight's with the earlier night's: sets that overlap are
not independent, and a few odd samples among many old ones would not be seen.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from videoguard.evaluation.significance import holm
from videoguard.nights.night import InputShift, NightSample, ScoreShift

RESAMPLES = 4999
LABELS = "labels"
_TITLES = {
    "brightness": "brightness",
    "sharpness": "sharpness",
    "duration_s": "length, seconds",
    "width": "width, pixels",
    "height": "height, pixels",
}
_AT_ONCE = 1 << 22

FloatArray = npt.NDArray[np.float64]


def input_shifts(
    earlier: Sequence[NightSample],
    new: Sequence[NightSample],
    *,
    alpha: float,
    distance: float,
    label_distance: float,
    least: int,
    seed: int,
) -> list[InputShift]:
    """Every property of the new videos against that of the earlier ones, with one correction over all tests.

    Numbers by the two-sample Kolmogorov-Smirnov test and the Wasserstein distance (`scipy.stats`), labels by the chi-square
    statistic, whose p-value comes from permutations since classes may be rare, and the Jensen-Shannon distance (base 2).

    Args:
        earlier: samples of an earlier night.
        new: samples that it had not.
        alpha: corrected p-value below which a difference is shown.
        distance: least distance of numbers that counts, in standard deviations of the earlier ones.
        label_distance: least distance of the labels.
        least: fewest videos on either side that are tested.
        seed: of the permutations.
    """
    before, after = _videos(earlier), _videos(new)
    found = []
    for name, title in _TITLES.items():
        first, second = (
            np.array([each.measures[name] for each in videos if name in each.measures]) for videos in (before, after)
        )
        if len(first) and len(second):
            found.append(_number_shift(title, first, second, least))
    labels = [[each.label for each in videos if each.label is not None] for videos in (before, after)]
    if labels[0] and labels[1]:
        found.append(_label_shift(labels[0], labels[1], least, seed))
    tested = [place for place, shift in enumerate(found) if shift.p_value is not None]
    for place, corrected in zip(tested, holm([found[place].p_value or 0.0 for place in tested]), strict=True):
        shift = found[place]
        limit = label_distance if shift.name == LABELS else distance
        drifted = corrected < alpha and (shift.distance or 0.0) >= limit
        found[place] = shift.model_copy(update={"p_corrected": corrected, "drifted": drifted})
    return found


def score_shifts(
    earlier: Sequence[NightSample], new: Sequence[NightSample], model: str, metrics: Iterable[str], *, least: int, seed: int
) -> list[ScoreShift]:
    """A model's scores of new samples against those of the earlier ones, both of tonight; uncorrected.

    The mean of each video is one value, since rows of one video are not independent; the p-value is that of a permutation
    test of the difference of means, two-sided.
    """
    found = []
    for metric in metrics:
        first, second = (_by_video(samples, model, metric) for samples in (earlier, new))
        if not len(first) or not len(second):
            continue
        enough = min(len(first), len(second)) >= least
        found.append(
            ScoreShift(
                metric=metric,
                earlier=len(first),
                new=len(second),
                earlier_mean=float(first.mean()),
                new_mean=float(second.mean()),
                p_value=_permuted(first, second, seed) if enough else None,
            )
        )
    return found


def _videos(samples: Sequence[NightSample]) -> list[NightSample]:
    """The first sample of each video."""
    return list({sample.content: sample for sample in reversed(samples)}.values())


def _by_video(samples: Sequence[NightSample], model: str, metric: str) -> FloatArray:
    scores: dict[str, list[float]] = {}
    for sample in samples:
        score = sample.scores.get(model, {}).get(metric)
        if score is not None:
            scores.setdefault(sample.group, []).append(score)
    return np.array([np.mean(values) for values in scores.values()], dtype=np.float64)


def _number_shift(title: str, first: FloatArray, second: FloatArray, least: int) -> InputShift:
    from scipy.stats import ks_2samp, wasserstein_distance

    spread = float(first.std())
    far = float(wasserstein_distance(first, second))
    # Where all earlier values are the same, any other value is far away; the mean tells how far.
    unit = spread or abs(float(first.mean())) or 1.0
    enough = min(len(first), len(second)) >= least
    return InputShift(
        name=title,
        earlier=len(first),
        new=len(second),
        distance=far / unit,
        p_value=float(ks_2samp(first, second).pvalue) if enough else None,
        words=f"median {np.median(first):.4g} to {np.median(second):.4g}",
    )


def _label_shift(first: Sequence[str], second: Sequence[str], least: int, seed: int) -> InputShift:
    from scipy.spatial.distance import jensenshannon

    names = sorted({*first, *second})
    counts = [Counter(labels) for labels in (first, second)]
    shares = [np.array([counted[name] for name in names]) / sum(counted.values()) for counted in counts]
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    enough = min(len(first), len(second)) >= least
    return InputShift(
        name=LABELS,
        earlier=len(first),
        new=len(second),
        distance=float(jensenshannon(*shares, base=2)),
        p_value=_permuted_labels(names, first, second, seed) if enough else None,
        words=f"most for {names[most]}: {shares[0][most]:.0%} to {shares[1][most]:.0%}",
    )


def _permuted(first: FloatArray, second: FloatArray, seed: int) -> float:
    together = np.concatenate([first, second])
    observed = abs(first.mean() - second.mean())

    def as_far(order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        drawn = together[order[:, : len(second)]].sum(axis=1)
        rest = together.sum() - drawn
        far: npt.NDArray[np.bool_] = np.abs(rest / len(first) - drawn / len(second)) >= observed - 1e-12
        return far

    return _share(len(together), as_far, seed)


def _permuted_labels(names: Sequence[str], first: Sequence[str], second: Sequence[str], seed: int) -> float:
    """Share of the permutations whose chi-square statistic is at least that which was seen; the margins are fixed."""
    codes = np.searchsorted(names, [*first, *second])
    totals = np.bincount(codes, minlength=len(names)).astype(np.float64)
    expected = totals * len(second) / len(codes)

    def statistic(counts: FloatArray) -> FloatArray:
        # Both rows of the table have the same deviations; only their expectations differ.
        squares: FloatArray = np.square(counts - expected) / expected
        total: FloatArray = squares.sum(axis=-1) * (1 + len(second) / len(first))
        return total

    observed = float(statistic(np.bincount(codes[len(first) :], minlength=len(names)).astype(np.float64)))

    def as_far(order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        drawn = codes[order[:, : len(second)]]
        offset = np.arange(len(order))[:, None] * len(names)
        counted = np.bincount((drawn + offset).ravel(), minlength=len(order) * len(names)).reshape(len(order), -1)
        far: npt.NDArray[np.bool_] = statistic(counted.astype(np.float64)) >= observed - 1e-12
        return far

    return _share(len(codes), as_far, seed)


def _share(values: int, as_far: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]], seed: int) -> float:
    """Share of random orders that are as far off as what was seen, which is counted among them."""
    random = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // values)
    far = 0
    for start in range(0, RESAMPLES, at_once):
        rounds = min(at_once, RESAMPLES - start)
        far += int(np.count_nonzero(as_far(np.argsort(random.random((rounds, values)), axis=1))))
    return (1 + far) / (1 + RESAMPLES)


def drift_words(shift: InputShift) -> str:
    """One shift in a sentence, with its figures."""
    known: Mapping[bool, str] = {True: f"p {shift.p_corrected or 0.0:.3g}, corrected", False: "too few videos to test"}
    measured = f"distance {shift.distance or 0.0:.2f}, {known[shift.p_corrected is not None]}"
    return f"{shift.name}: {shift.words} ({measured}; {shift.new} new videos against {shift.earlier})"
