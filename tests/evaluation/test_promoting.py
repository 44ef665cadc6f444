"""The rule of promotion, by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.evaluation.test_comparing import FACTS, model
from videoguard.evaluation.comparing import ComparedModel
from videoguard.evaluation.promoting import decide
from videoguard.evaluation.promotion import PromotionDecision, read_decision, write_decision

Scores = Mapping[str, Sequence[float | None]]


def decided(champion: Scores, candidate: Scores, **rule) -> PromotionDecision:
    fields = {"model": "walks", "version": "4", "against": "3", "metric": "right", "guards": None}
    return decide(model("champion", champion), model("candidate", candidate), **{**fields, **rule})


def test_a_better_candidate_is_promoted_with_its_figures():
    found = decided({"right": [0.0] * 8 + [1.0] * 4}, {"right": [1.0] * 12})
    assert found.outcome == "promoted"
    # Eight changes, all for the better: 2 * 1 / 2^8 = 0.0078.
    assert found.reasons == [
        "right 0.333 to 1.000 (+0.667; 8 better, 0 worse of 12, McNemar, exact: p 0.008)",
        "no other metric is watched",
    ]
    assert found.tags() == {
        "promotion.decision": "promoted",
        "promotion.against": "3",
        "promotion.reasons": "\n".join(found.reasons),
        "promotion.metric": "right",
        "promotion.difference": "0.666667",
        "promotion.p_value": "0.0078125",
        "promotion.samples": "12",
    }


@pytest.mark.parametrize(
    ("champion", "candidate", "rule", "reason"),
    [
        ([1.0] * 8, [0.0] * 8, {}, "it has not risen"),
        ([1.0, 0.0] * 6, [1.0, 0.0] * 6, {}, "it has not risen"),
        # Five changes of the same kind come by chance with 2 / 2^5 = 0.0625.
        ([0.0] * 5 + [1.0] * 7, [1.0] * 12, {}, "chance is not ruled out, p is not below 0.05"),
        ([0.0] * 8 + [1.0] * 72, [1.0] * 80, {"minimum_gain": 0.11}, "the gain is less than 0.11"),
    ],
)
def test_a_candidate_that_is_not_shown_to_be_better_is_held_back(champion, candidate, rule, reason):
    found = decided({"right": champion}, {"right": candidate}, **rule)
    assert found.outcome == "held back"
    assert len(found.reasons) == 1
    assert found.reasons[0].endswith(reason)


@pytest.mark.parametrize(
    ("likeness", "tolerated", "outcome"),
    [
        ([0.9] * 12, 0.0, "promoted"),
        # Fallen by 0.05 on average, by two samples: within what is tolerated, and no test shows it.
        ([0.9] * 10 + [0.4, 0.8], 0.06, "promoted"),
        ([0.9] * 10 + [0.4, 0.8], 0.04, "held back"),
        # Fallen by 0.01 on every sample: the test shows it.
        ([0.89] * 12, 0.06, "held back"),
    ],
)
def test_a_guard_may_not_fall(likeness, tolerated, outcome):
    champion = {"right": [0.0] * 12, "likeness": [0.9] * 12}
    found = decided(champion, {"right": [1.0] * 12, "likeness": likeness}, tolerated_fall=tolerated)
    assert found.outcome == outcome
    if outcome == "held back":
        assert found.reasons[0].startswith("likeness 0.900 to ")
        assert found.reasons[0].endswith("it may not fall")


def test_where_lower_is_better_a_rise_is_a_fall():
    champion = {"right": [0.0] * 12, "redundancy": [0.1] * 12, "words": [5.0] * 12}
    candidate = {"right": [1.0] * 12, "redundancy": [0.3] * 12, "words": [1.0] * 12}
    found = decided(champion, candidate)
    assert found.outcome == "held back"
    assert [pair.metric for pair in found.tests] == ["right", "redundancy"]
    assert decided(champion, candidate, guards=["right"]).outcome == "promoted"
    assert decided(champion, candidate, metric="redundancy", guards=[]).reasons[0].endswith("and lower is better")


def test_failing_where_the_champion_scores_is_no_way_to_win():
    champion = {"right": [0.0] * 10 + [1.0, 0.0]}
    found = decided(champion, {"right": [1.0] * 10 + [1.0, None]})
    assert found.outcome == "held back"
    assert found.reasons == ["right: 1 of 12 samples that the other has a score of are unscored (first: s11)"]
    # What neither could be scored on decides nothing.
    assert decided({"right": [0.0] * 10 + [None]}, {"right": [1.0] * 10 + [None]}).outcome == "promoted"


def test_what_cannot_be_tested_is_not_promoted():
    one_video = ["video"] * 12
    champion = model("a", {"right": [0.0] * 12}, groups=one_video)
    candidate = model("b", {"right": [1.0] * 12}, groups=one_video)
    fields: dict[str, Any] = {"model": "walks", "version": "4", "against": None, "guards": None}
    found = decide(champion, candidate, metric="right", **fields)
    assert (found.outcome, found.opponent) == ("undecided", "the base model, there being no champion")
    assert "of one video" in found.reasons[0]
    assert decided({"right": [0.0] * 12}, {"right": [1.0] * 12}, guards=["meteor"]).reasons == [
        "meteor was not evaluated of both"
    ]
    evaluation = candidate.evaluation.model_copy(update={"partial": "limit=20"})
    partial = decide(champion, ComparedModel("b", candidate.rows, evaluation), metric="right", **fields)
    assert partial.reasons[0] == "not all samples were answered (limit=20)"


def test_a_decision_is_read_as_it_was_written(tmp_path):
    assert FACTS["right"].scale == "yes_no"
    found = decided({"right": [0.0] * 8}, {"right": [1.0] * 8})
    write_decision(found, tmp_path)
    assert read_decision(tmp_path) == found
