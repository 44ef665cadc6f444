"""Calibration, worked out by hand and held against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from videoguard.evaluation.calibration import BINS, calibrate
from videoguard.inference.rows import AnswerRow


def _row(probability, predicted="squat", label="squat", status="ok"):
    return AnswerRow.model_validate(
        {
            "id": "a",
            "video": "a.mp4",
            "group": "g",
            "label": label,
            "question": "?",
            "reference": "squat - good",
            "status": status,
            "answer": "squat" if status == "ok" else None,
            "predicted_label": predicted,
            "label_probability": probability,
        }
    )


def test_figures_by_hand():
    rows = [_row(0.9), _row(1.0), _row(0.96, "plank"), _row(0.25, "plank"), _row(0.3), _row(None, None, status="failed")]
    found = calibrate(rows)
    assert found is not None
    # Bins (0.2, 0.3]: 0.25 wrong, 0.3 right; (0.8, 0.9]: 0.9 right; (0.9, 1.0]: 1.0 right, 0.96 wrong.
    assert [(each.low, each.high, each.n) for each in found.bins if each.n] == [(0.2, 0.3, 2), (0.8, 0.9, 1), (0.9, 1.0, 2)]
    assert [each.accuracy for each in found.bins if each.n] == [0.5, 1.0, 0.5]
    assert [each.probability for each in found.bins if each.n] == pytest.approx([0.275, 0.9, 0.98])
    # 2/5 · 0.225 + 1/5 · 0.1 + 2/5 · 0.48
    assert found.calibration_error == pytest.approx(0.302)
    # (0.01 + 0 + 0.9216 + 0.0625 + 0.49) / 5
    assert found.brier == pytest.approx(0.29682)
    assert (found.n, found.unscored, found.accuracy) == (5, 1, 0.6)
    assert found.probability == pytest.approx(0.682)


def test_the_brier_score_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    probabilities, right = random.uniform(size=200), random.integers(0, 2, size=200)
    rows = [_row(float(each), "squat" if is_right else "plank") for each, is_right in zip(probabilities, right, strict=True)]
    found = calibrate(rows)
    assert found is not None
    assert found.brier == pytest.approx(brier_score_loss(right, probabilities))
    assert sum(each.n for each in found.bins) == 200
    assert len(found.bins) == BINS


def test_a_model_that_is_as_right_as_it_says_has_no_error():
    found = calibrate([_row(0.75)] * 3 + [_row(0.75, "plank")])
    assert found is not None
    assert found.calibration_error == 0.0


def test_labels_agree_as_exercises_do():
    found = calibrate([_row(1.0, "Push-Up", "push up"), _row(0.0, "plank", "squat")])
    assert found is not None
    assert (found.accuracy, found.calibration_error, found.bins[0].n) == (0.5, 0.0, 1)


def test_without_scored_labels_there_is_nothing_to_say():
    assert calibrate([_row(None, None), _row(0.5, label=None)]) is None
