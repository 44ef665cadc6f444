"""Drift of inputs and scores against values worked out by hand or given by SciPy."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from tests.nights.nights import samples
from videoguard.nights.drift import input_shifts, score_shifts

RULE: dict[str, Any] = {"alpha": 0.05, "distance": 0.25, "label_distance": 0.15, "least": 8, "seed": 0}


def shown(values, first=0, labels=None):
    found = samples({"right": [1.0] * len(values)}, first=first)
    return [
        each.model_copy(
            update={"measures": {"brightness": float(value)}, "label": "squat" if labels is None else labels[place]}
        )
        for place, (each, value) in enumerate(zip(found, values, strict=True))
    ]


def test_a_shift_of_two_levels_of_grey():
    # Values 0 to 9 moved by 2: Wasserstein 2, standard deviation the root of (10² - 1) / 12.
    (found, _) = input_shifts(shown(range(10)), shown(range(2, 12), first=10), **RULE)
    assert found.name == "brightness"
    assert found.distance == pytest.approx(2 / np.sqrt(99 / 12))
    assert found.p_value == pytest.approx(ks_2samp(np.arange(10.0), np.arange(2.0, 12.0)).pvalue)
    assert found.words == "median 4.5 to 6.5"
    assert not found.drifted


def test_drift_needs_both_a_test_and_a_distance():
    before, after = shown(range(200)), shown(np.arange(200) + 40, first=200)
    (found, _) = input_shifts(before, after, **RULE)
    assert found.drifted
    (far, _) = input_shifts(before, after, **{**RULE, "distance": 0.9})
    assert (far.p_corrected, far.drifted) == (found.p_corrected, False)
    (few, _) = input_shifts(before, after[:5], **RULE)
    assert (few.p_value, few.drifted) == (None, False)


def test_the_mix_of_labels():
    before = shown([0] * 60, labels=["squat"] * 30 + ["lunge"] * 30)
    after = shown([0] * 60, first=60, labels=["squat"] * 45 + ["lunge"] * 15)
    found = input_shifts(before, after, **RULE)[-1]
    assert found.name == "labels"
    assert found.words == "most for lunge: 50% to 25%"
    # The permuted p-value against the chi-square distribution's.
    expected = chi2_contingency([[30, 30], [45, 15]], correction=False).pvalue
    assert found.p_value == pytest.approx(expected, abs=0.01)
    assert found.distance == pytest.approx(np.sqrt(0.04879494), abs=1e-4)
    assert found.drifted
    equal = input_shifts(before, shown([0] * 60, first=60, labels=["squat", "lunge"] * 30), **RULE)[-1]
    assert equal.distance == pytest.approx(0.0)
    assert (equal.p_value, equal.drifted) == (1.0, False)


def test_rows_of_one_video_are_one_value_of_a_shift_of_scores():
    before = samples({"right": [1.0] * 8})
    repeated = samples({"right": [0.0] * 40}, first=8, group="one video")
    (found,) = score_shifts(before, repeated, "champion", ["right"], least=1, seed=0)
    assert (found.earlier, found.new) == (8, 1)
    # One of nine videos is the odd one: p is 1 / 9 by the permutations.
    assert found.p_value == pytest.approx(1 / 9, abs=0.02)
