"""What the figure can do: eight exercises, each in correct form and with two mistakes, and what a trainer says of each."""

import json
from typing import Literal

AnswerKind = Literal["text", "json"]

QUESTION = "Which exercise is this and how is the form?"
_JSON_WANTED = " Answer in JSON with exercise, form and feedback."

FEEDBACK: dict[str, dict[str, str]] = {
    "squat": {
        "correct": "good depth and a straight back",
        "shallow": "go lower until the thighs are parallel",
        "leaning": "keep the chest up",
    },
    "jumping jack": {
        "correct": "full arm swing and wide feet",
        "low arms": "raise the arms over the head",
        "narrow feet": "jump the feet wider apart",
    },
    "push-up": {
        "correct": "straight body and full range",
        "sagging hips": "lift the hips in line",
        "partial range": "lower the chest further",
    },
    "lunge": {
        "correct": "deep lunge and upright torso",
        "shallow": "drop the back knee lower",
        "leaning": "keep the torso upright",
    },
    "side bend": {
        "correct": "smooth bend to both sides",
        "small range": "bend further to the side",
        "bent knees": "keep the legs straight",
    },
    "high knees": {
        "correct": "knees reach hip height",
        "low knees": "lift the knees higher",
        "leaning back": "stay upright over the hips",
    },
    "shoulder press": {
        "correct": "full lockout overhead",
        "partial press": "extend the arms fully",
        "uneven arms": "press both arms evenly",
    },
    "toe touch": {
        "correct": "hands reach the toes",
        "short reach": "reach closer to the toes",
        "bent knees": "straighten the knees",
    },
}
"""What is said of each form, by exercise and form; the correct form stands first."""

CLASSES: tuple[tuple[str, str], ...] = tuple((exercise, form) for exercise, forms in FEEDBACK.items() for form in forms)
"""Every pair of exercise and form."""


def question_text(kind: AnswerKind) -> str:
    """The question that asks for one form of answer."""
    return QUESTION if kind == "text" else QUESTION + _JSON_WANTED


def answer_text(exercise: str, form: str, kind: AnswerKind) -> str:
    """The wanted answer of one class: `exercise - feedback`, or a JSON object with exercise, form and feedback."""
    feedback = FEEDBACK[exercise][form]
    if kind == "text":
        return f"{exercise} - {feedback}"
    return json.dumps({"exercise": exercise, "form": form, "feedback": feedback})
