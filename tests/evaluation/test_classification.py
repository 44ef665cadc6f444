from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score

from videoguard.evaluation.classification import classify
from videoguard.evaluation.scores import UNLISTED, UNNAMED


def test_figures_by_hand() -> None:
    found = classify(
        [
            [("squat", "squat")],
            [("squat", "Squat")],
            [("squat", "lunge")],
            [("lunge", None)],
            [("push-up", "push up")],
            [("push-up", "jump")],
        ],
        unscored=2,
    )
    assert (found.n, found.unscored, found.accuracy) == (6, 2, 0.5)
    squat, push_up, lunge = found.classes
    assert [each.label for each in found.classes] == ["squat", "push-up", "lunge"]
    assert (squat.wanted, squat.named, squat.right, squat.accuracy, squat.precision) == (3, 2, 2, 2 / 3, 1.0)
    assert squat.f1 == pytest.approx(0.8)
    assert push_up.f1 == pytest.approx(2 / 3)
    assert (lunge.named, lunge.right, lunge.precision, lunge.f1) == (1, 0, 0.0, 0.0)
    assert found.macro_f1 == pytest.approx((0.8 + 2 / 3) / 3)
    assert [(cell.wanted, cell.answered, cell.count) for cell in found.confusion] == [
        ("squat", "squat", 2),
        ("squat", "lunge", 1),
        ("push-up", "push-up", 1),
        ("push-up", UNLISTED, 1),
        ("lunge", UNNAMED, 1),
    ]


def test_nothing_scored_has_no_figures() -> None:
    found = classify([], unscored=3)
    assert (found.n, found.unscored, found.accuracy, found.macro_f1, found.classes, found.confusion) == (
        0,
        3,
        None,
        None,
        [],
        [],
    )


def test_two_thousand_classes_keep_only_the_cells_that_are_filled() -> None:
    found = classify([[(f"class {number}", f"class {number}")] for number in range(2000)], unscored=0)
    assert len(found.classes) == len(found.confusion) == 2000
    assert found.macro_f1 == 1.0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=60))
def test_figures_equal_scikit_learns(pairs: Sequence[tuple[str, str]]) -> None:
    found = classify([[pair] for pair in pairs], unscored=0)
    wanted, named = zip(*pairs, strict=True)
    labels = sorted(set(wanted))
    assert found.macro_f1 == pytest.approx(f1_score(wanted, named, labels=labels, average="macro", zero_division=0))
    for figures in found.classes:
        precision = precision_score(wanted, named, labels=[figures.label], average="macro", zero_division=0)
        assert (figures.precision or 0.0) == pytest.approx(precision)
    assert sum(cell.count for cell in found.confusion) == len(pairs)
