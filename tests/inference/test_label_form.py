"""Where wanted answers have their label."""

import pytest

from videoguard.errors import UserError
from videoguard.inference.label_form import find_label_form


def test_a_label_at_the_start_of_a_sentence():
    form = find_label_form([("Push-up - good", "push-up"), ("Squat - lower", "squat"), ("Squat - good", "Squat")])
    assert form.labels == {"push-up": "Push-up", "squat": "Squat"}
    assert (form.lead, form.tail, form.closes) == ("", " -", False)
    assert form.before("anything") == ""


def test_a_label_in_json():
    form = find_label_form(
        [('{"exercise": "squat", "form": "good"}', "squat"), ('{"exercise": "plank", "form": "poor"}', "plank")]
    )
    assert form.lead == '{"exercise": "'
    assert form.tail == '", "form": "'
    assert form.before("") == '{"exercise": "'


def test_a_label_behind_what_differs_is_found_in_the_generated_answer():
    form = find_label_form(
        [('{"form": "good", "exercise": "squat"}', "squat"), ('{"form": "poor", "exercise": "plank"}', "plank")]
    )
    assert form.lead is None
    assert form.before('{"form": "so-so", "exercise": "lunge"}') == '{"form": "so-so", "exercise": "'
    assert form.before("no JSON") is None


def test_an_answer_that_is_its_label():
    form = find_label_form([("squat", "squat"), ("plank", "plank")])
    assert (form.lead, form.tail, form.closes) == ("", "", True)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("squat", "squat"), ("squat", "Squat")], "has 1 labels"),
        ([("squat", None)], "has 0 labels"),
        ([("a good one", "squat"), ("plank", "plank")], "1 of 2 wanted answers do not hold their label"),
        ([("see the squat", "squat"), ("what a plank", "plank")], "other words in each"),
    ],
)
def test_answers_without_one_place_for_labels_are_refused(pairs, reason):
    with pytest.raises(UserError, match=reason):
        find_label_form(pairs)
