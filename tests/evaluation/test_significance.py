import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from videoguard.evaluation.significance import RESAMPLES, holm, mcnemar_exact, paired_bootstrap

NAN = float("nan")


# Each call of theirs collects the garbage of the whole process.
@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_holm_by_hand() -> None:
    # 0.01 * 3 = 0.03; 0.02 * 2 = 0.04; 0.03 * 1 stays below the one before, whose 0.04 it takes.
    assert holm([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([]) == []


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_statsmodels(better: int, worse: int) -> None:
    if better + worse:
        theirs = mcnemar([[5, better], [worse, 7]], exact=True).pvalue
        assert mcnemar_exact(better, worse) == pytest.approx(theirs)
    else:
        assert mcnemar_exact(better, worse) == 1.0


def test_the_interval_and_p_value_are_those_of_a_paired_t_test_where_its_assumptions_hold() -> None:
    differences = np.random.default_rng(3).normal(0.07, 0.5, size=300)
    groups = [str(at) for at in range(300)]
    found = paired_bootstrap(differences[:, None], groups, seed=0)[0]
    theirs = scipy.stats.ttest_1samp(differences, 0.0)
    interval = theirs.confidence_interval(0.95)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.01)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high), abs=0.01)


def test_the_interval_is_scipys_paired_bootstrap() -> None:
    random = np.random.default_rng(8)
    first, second = random.random(120), random.random(120) ** 2
    theirs = scipy.stats.bootstrap(
        (first, second),
        lambda x, y, axis: np.mean(y - x, axis=axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = paired_bootstrap((second - first)[:, None], [str(at) for at in range(120)], seed=0)[0]
    assert (found.ci_low, found.ci_high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_rows_of_one_video_count_once_however_often_it_was_cut() -> None:
    differences = np.random.default_rng(5).normal(0.1, 0.4, size=25)
    single = paired_bootstrap(differences[:, None], [str(at) for at in range(25)], seed=2)[0]
    repeated = paired_bootstrap(np.repeat(differences, 8)[:, None], [str(at // 8).zfill(2) for at in range(200)], seed=2)[0]
    # The groups are in another order, so the resamples are others of the same kind.
    assert repeated.p_value == pytest.approx(single.p_value, abs=0.02)
    assert (repeated.ci_low, repeated.ci_high) == pytest.approx((single.ci_low, single.ci_high), abs=0.03)


def test_unscored_rows_are_in_no_figure_of_their_test() -> None:
    groups = [str(at) for at in range(40)]
    whole = np.random.default_rng(1).normal(size=40)
    patched = whole.copy()
    patched[20:] = NAN
    found = paired_bootstrap(np.stack([whole, patched, np.full(40, NAN)], axis=1), groups, seed=0)
    assert found[0].p_value is not None
    assert found[1].ci_low is not None
    assert found[1].ci_high is not None
    assert found[1].ci_low < whole[:20].mean() < found[1].ci_high
    assert (found[2].p_value, found[2].ci_low) == (None, None)


def test_no_difference_at_all_has_the_p_value_one_and_a_plain_one_the_least() -> None:
    groups = [str(at) for at in range(50)]
    nothing, plain = paired_bootstrap(np.stack([np.zeros(50), np.full(50, 0.3)], axis=1), groups, seed=0)
    assert nothing.p_value == 1.0
    assert plain.p_value == 1 / (RESAMPLES + 1)


def test_one_video_tells_nothing_of_spread() -> None:
    assert paired_bootstrap(np.array([[0.1], [0.2]]), ["a", "a"], seed=0)[0].p_value is None
    assert paired_bootstrap(np.zeros((0, 1)), [], seed=0)[0].p_value is None


def test_many_videos_are_resampled_in_parts_with_one_result() -> None:
    groups = [str(at) for at in range(3000)]
    differences = np.random.default_rng(0).normal(size=(3000, 1))
    assert paired_bootstrap(differences, groups, seed=4) == paired_bootstrap(differences, groups, seed=4)
