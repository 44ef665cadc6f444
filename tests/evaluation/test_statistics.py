import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api
from hypothesis import given
from hypothesis import strategies as st

from videoguard.evaluation.statistics import RESAMPLES, bootstrap_interval, standard_error, summarise


def test_figures_by_hand() -> None:
    summary = summarise([0.0, None, 1.0, 0.5, 1.0], ["a", "a", "b", "c", "d"])
    assert (summary.n, summary.unscored) == (4, 1)
    assert summary.mean == 0.625
    assert summary.median == 0.75
    # Squared deviations 0.390625 + 2 * 0.140625 + 0.015625 = 0.6875, over n - 1 = 3.
    assert summary.std == pytest.approx(math.sqrt(0.6875 / 3))
    assert (summary.min, summary.max) == (0.0, 1.0)


def test_nothing_scored_has_counts_and_no_figure() -> None:
    summary = summarise([None, None], ["a", "b"])
    assert (summary.n, summary.unscored) == (0, 2)
    assert summary.mean is summary.ci_low is summary.median is summary.std is summary.max is None


def test_one_group_has_a_mean_and_no_interval() -> None:
    summary = summarise([1.0, 0.0], ["a", "a"])
    assert summary.mean == 0.5
    assert summary.ci_low is summary.ci_high is None
    assert summarise([1.0], ["a"]).std is None


def test_whole_groups_are_resampled() -> None:
    # Groups a (1, 1, 1) and b (0). Two draws give means 1, 3/4 and 0 with chances 1/4, 1/2 and 1/4: 2.5 % of the
    # resamples lie in the outer two, so the interval is all of 0 to 1, though three of four rows are 1.
    assert bootstrap_interval(np.array([1.0, 1.0, 1.0, 0.0]), ["a", "a", "a", "b"], seed=0) == (0.0, 1.0)


def test_repeating_rows_within_their_group_adds_no_certainty() -> None:
    random = np.random.default_rng(1)
    values = random.random(60)
    groups = [f"video {index:02d}" for index in range(60)]
    single = bootstrap_interval(values, groups, seed=3)
    repeated = bootstrap_interval(np.repeat(values, 5), [group for group in groups for _ in range(5)], seed=3)
    assert single is not None
    assert repeated == pytest.approx(single, abs=1e-12)


def test_independent_rows_have_the_interval_of_the_normal_approximation() -> None:
    values = np.random.default_rng(2).normal(size=900)
    interval = bootstrap_interval(values, [str(index) for index in range(900)], seed=0)
    half = 1.959964 * values.std(ddof=1) / 30
    assert interval is not None
    # 2,000 resamples leave about 3 % of noise on each bound's distance from the mean.
    assert interval[0] == pytest.approx(values.mean() - half, abs=0.12 * half)
    assert interval[1] == pytest.approx(values.mean() + half, abs=0.12 * half)


def test_the_standard_error_is_that_of_a_clustered_regression() -> None:
    random = np.random.default_rng(4)
    groups = random.integers(0, 12, size=80)
    values = random.random(80) + groups / 10
    fit = statsmodels.api.OLS(values, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert standard_error(values, [str(group) for group in groups]) == pytest.approx(fit.bse[0])


def test_without_clusters_the_standard_error_is_the_usual_one() -> None:
    values = np.random.default_rng(5).random(30)
    assert standard_error(values, [str(at) for at in range(30)]) == pytest.approx(scipy.stats.sem(values))
    assert standard_error(values, ["one video"] * 30) is None


def test_the_interval_is_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(6).exponential(size=200)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = bootstrap_interval(values, [str(at) for at in range(200)], seed=0)
    # 2,000 resamples leave the bounds a noise of a few hundredths of the interval.
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.05 * (theirs.high - theirs.low))


def test_many_groups_are_resampled_in_parts_with_one_result() -> None:
    groups = [str(index) for index in range(5000)]  # 2,000 x 5,000 draws do not fit in one part
    values = np.arange(5000.0)
    first = bootstrap_interval(values, groups, seed=7)
    assert first == bootstrap_interval(values, groups, seed=7)
    assert first != bootstrap_interval(values, groups, seed=8)
    assert RESAMPLES == 2000


@given(st.lists(st.tuples(st.none() | st.floats(-1, 1), st.sampled_from("abc")), max_size=20))
def test_every_figure_is_absent_or_a_number_within_the_scores(rows: list[tuple[float | None, str]]) -> None:
    summary = summarise([score for score, _ in rows], [group for _, group in rows])
    assert summary.n + summary.unscored == len(rows)
    for figure in (summary.mean, summary.ci_low, summary.ci_high, summary.median):
        if figure is not None:
            assert summary.min is not None
            assert summary.max is not None
            assert summary.min - 1e-12 <= figure <= summary.max + 1e-12
    assert summary.std is None or math.isfinite(summary.std)
