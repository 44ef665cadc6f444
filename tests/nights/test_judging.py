"""The rule of a night, by hand."""

import pytest

from tests.nights.nights import FACTS, night, samples
from videoguard.config import NightlySection
from videoguard.nights.judging import Earlier, Judgement, choose_earlier, judge

RIGHT = {"right": [1.0] * 12}


def judged(tonight, *earlier, watched=("right",), rule=None, **given) -> Judgement:
    nights = [Earlier(night(day), found) for day, found in enumerate(reversed(earlier), start=1)][::-1]
    return judge(tonight, "1", FACTS, list(watched), nights, rule or NightlySection(), scored_by="code", **given)


def test_a_fall_that_the_test_shows_is_a_regression_with_its_figures():
    found = judged(samples({"right": [0.0] * 8 + [1.0] * 4}), samples(RIGHT))
    assert found.outcome == "regressed"
    # Eight changes, all for the worse: 2 / 2^8 = 0.0078.
    assert found.reasons == [
        "right 1.000 to 0.333 (-0.667; 0 better, 8 worse of 12; McNemar, exact: p 0.00781) against the night "
        f"{night(1).name}"
    ]
    assert (found.comparisons[0].samples, found.comparisons[0].added, found.comparisons[0].removed) == (12, 0, 0)


@pytest.mark.parametrize(
    ("tonight", "rule"),
    [
        ([1.0] * 12, {}),
        # Five for the worse come by chance with 2 / 2^5 = 0.0625.
        ([0.0] * 5 + [1.0] * 7, {}),
        ([0.0] * 8 + [1.0] * 4, {"minimum_drop": 0.7}),
        ([0.0] * 8 + [1.0] * 4, {"alpha": 0.005}),
    ],
)
def test_a_fall_that_is_not_shown_or_too_small_passes(tonight, rule):
    found = judged(samples({"right": tonight}), samples(RIGHT), rule=NightlySection(**rule))
    assert (found.outcome, found.reasons) == ("passed", ["no metric has fallen (right)"])


def test_a_rise_passes_and_where_lower_is_better_a_rise_is_a_fall():
    low, high = {"redundancy": [0.1] * 12}, {"redundancy": [0.3] * 12}
    assert judged(samples(high), samples(low), watched=["redundancy"]).outcome == "regressed"
    assert judged(samples(low), samples(high), watched=["redundancy"]).outcome == "passed"


def test_p_values_are_corrected_over_all_tests_of_the_night():
    before = samples({"right": [1.0] * 12, "likeness": [0.5] * 12})
    after = samples({"right": [0.0] * 7 + [1.0] * 5, "likeness": [0.5] * 12})
    # 2 / 2^7 = 0.0156 alone; twice that of two tests.
    alone, both = judged(after, before), judged(after, before, watched=["right", "likeness"])
    figures = [found.comparisons[0].pairs[0].p_corrected for found in (alone, both)]
    assert figures == pytest.approx([0.015625, 0.03125])


def test_the_first_night_and_a_champion_that_cannot_be_asked():
    first = judged(samples(RIGHT))
    assert (first.outcome, first.reasons) == ("passed", ["the first night: there is none to compare with"])
    refused = judged([], samples(RIGHT), refusal="frames.count is 8, and 4 in the record")
    assert refused.outcome == "undecided"
    assert refused.reasons == ["the champion cannot be asked about these samples: frames.count is 8, and 4 in the record"]
    unscored = judged(samples({"right": [None] * 12}))
    assert (unscored.outcome, unscored.reasons) == ("undecided", ["no sample is scored by right"])


def test_new_samples_stand_apart_and_tell_a_fall_of_their_own():
    known, new = samples({"right": [1.0] * 10}), samples({"right": [0.0] * 10}, first=10)
    found = judged([*known, *new], known)
    assert found.outcome == "regressed"
    assert (found.comparisons[0].samples, found.comparisons[0].added) == (10, 10)
    assert found.comparisons[0].pairs[0].difference == 0.0
    assert found.reasons[0].startswith("right of new samples 0.000, of earlier ones 1.000 (10 new videos, p 0.0")
    # Too few to tell anything.
    assert judged([*known, *new[:3]], known).outcome == "passed"


def test_what_failed_is_no_way_to_pass():
    found = judged(samples({"right": [1.0] * 11 + [None]}), samples(RIGHT))
    assert found.outcome == "regressed"
    assert found.reasons[0].endswith("scored are unscored (first: s11)")


def test_a_score_by_other_code_is_said():
    found = judge(
        samples(RIGHT), "1", FACTS, ["right"], [Earlier(night(1), samples(RIGHT))], NightlySection(), scored_by="other"
    )
    assert found.outcome == "passed"
    assert "was scored by another version of the metrics" in found.reasons[-1]


def test_drift_of_inputs_is_told_and_fails_only_where_it_shall():
    before = [each.model_copy(update={"measures": {"brightness": 100.0 + n}}) for n, each in enumerate(samples(RIGHT))]
    dark = [
        each.model_copy(update={"measures": {"brightness": 10.0 + n}})
        for n, each in enumerate(samples({"right": [1.0] * 12}, first=12))
    ]
    found = judged([*before, *dark], before)
    assert found.outcome == "passed"
    assert found.reasons[0].startswith("inputs drifted: brightness: median 105.5 to 15.5 (distance 26.07, p ")
    strict = NightlySection.model_validate({"drift": {"fails": True}})
    assert judged([*before, *dark], before, rule=strict).outcome == "drifted"


def test_tonight_is_held_to_the_last_good_night_and_to_the_oldest_of_the_window():
    nights = [night(1), night(2), night(3), night(4, outcome="regressed")]
    assert [each.digest for each in choose_earlier(nights, 3)] == ["00000003", "00000002"]
    assert [each.digest for each in choose_earlier(nights, 7)] == ["00000003", "00000001"]
    # A window of nights that fell short does not make their level the standard.
    assert [each.digest for each in choose_earlier(nights, 1)] == ["00000003"]
    accepted = [*nights, night(5, outcome="regressed", new_standard="other camera"), night(6)]
    assert [each.digest for each in choose_earlier(accepted, 7)] == ["00000006", "00000005"]
    assert choose_earlier([], 7) == []
