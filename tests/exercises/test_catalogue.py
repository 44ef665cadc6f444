"""Answers and captions of the synthetic exercises."""

import json

import pytest

from videoguard.exercises.captions import motion_caption
from videoguard.exercises.catalogue import CLASSES, FEEDBACK, answer_text


def test_each_of_eight_exercises_has_a_correct_form_first_and_two_mistakes():
    assert len(FEEDBACK) == 8
    assert len(CLASSES) == 24
    for forms in FEEDBACK.values():
        assert next(iter(forms)) == "correct"
        assert len(forms) == 3


def test_no_two_feedbacks_of_one_exercise_agree():
    assert all(len(set(forms.values())) == 3 for forms in FEEDBACK.values())


def test_text_answer_names_the_exercise_before_the_dash():
    assert answer_text("push-up", "sagging hips", "text") == "push-up - lift the hips in line"


def test_json_answer_has_exercise_form_and_feedback():
    assert json.loads(answer_text("squat", "leaning", "json")) == {
        "exercise": "squat",
        "form": "leaning",
        "feedback": "keep the chest up",
    }


def test_caption_gives_the_joint_ranges_by_hand():
    # At full depth the thigh is at 88° and the shin at -0.45 × 88° = -39.6°: a knee of 127.6°, in steps of 15° 135.
    # The torso leans by 22° (15), the arms rise from 0 to 90° with the elbows straight.
    expected = "torso 15 one way, thighs 90 90, knees 135 135, arms 0 to 90 and 90, elbows 0"
    assert motion_caption("squat", "correct") == expected


def test_captions_tell_all_classes_apart():
    assert len({motion_caption(exercise, form) for exercise, form in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize(("exercise", "form"), CLASSES)
def test_caption_names_neither_exercise_nor_form(exercise, form):
    caption = motion_caption(exercise, form)
    assert exercise not in caption
    assert form not in caption
    assert FEEDBACK[exercise][form] not in caption
