"""Reasons told apart by their rule."""

from videoguard.report.reasons import rules_of


def test_reasons_that_differ_in_values_are_one() -> None:
    reasons = ["turn 3: 'POS' is not one of ['a', 'b']", "turn 12: 'NEG' is not one of ['a']", "no frames", "turn 3 is late"]
    assert rules_of(reasons) == {
        "turn 3: 'POS' is not one of ['a', 'b']": "turn …: … is not one of …",
        "turn 12: 'NEG' is not one of ['a']": "turn …: … is not one of …",
        "no frames": "no frames",
        "turn 3 is late": "turn 3 is late",
    }


def test_a_number_inside_a_name_and_an_apostrophe_stay() -> None:
    assert rules_of(["gemma3n wasn't asked, isn't known", "gemma4 wasn't asked, isn't known"]) == {
        "gemma3n wasn't asked, isn't known": "gemma3n wasn't asked, isn't known",
        "gemma4 wasn't asked, isn't known": "gemma4 wasn't asked, isn't known",
    }


def test_the_same_reason_many_times_keeps_its_values() -> None:
    assert rules_of(["clip 3 is empty"] * 5) == {"clip 3 is empty": "clip 3 is empty"}
