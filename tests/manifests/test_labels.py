import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.manifests.labels import exercise_name, normalize_name, parse_json, same_exercise

WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("squat - go lower", "squat"),
        ("push-ups - keep the back straight", "push-ups"),
        ("cat-cow pose - breathe - slowly", "cat-cow pose"),
        ("squat – good", "squat"),
        ("squat— good", "squat"),
        ("squat —good", "squat"),
        ("squat: go lower", "squat"),
        ("squat :go lower", "squat"),
        ("lunge: knees - behind the toes", "lunge"),
        ("squat:\nGo lower.", "squat"),
        ("squat\n- go lower", "squat"),
        ("  jumping   jacks  - good", "jumping jacks"),
        ("squat -", "squat"),
        ("plank:", "plank"),
        ("10:30 run - good", "10:30 run"),
        ("3–4 squats - good", "3–4 squats"),
        ("the person in the video is doing squats, slowly - good", "the person in the video is doing squats, slowly"),
        # no separator: a short text is a name itself
        ("squat", "squat"),
        ("Squat.", "Squat"),
        ("push-up", "push-up"),
        ("10:30 run", "10:30 run"),
        ("single leg romanian deadlift", "single leg romanian deadlift"),
        ("a baby in sunglasses reads a book", None),
        ("You did well, go on", None),
        ("great job!!!", None),
        ("squat\nlunge", None),
        ("squat- go a little bit lower", None),
        ("", None),
        ("   ", None),
        (" - go lower", "- go lower"),
        (": go lower", None),
        # JSON
        ('{"exercise": "squat", "feedback": "good - go on"}', "squat"),
        ('{"feedback": "good", "label": "push-up"}', "push-up"),
        ('{"action": " reading  a book "}', "reading a book"),
        ('{"exercise": "", "label": "lunge"}', "lunge"),
        ('{"exercise": 3}', None),
        ('{"form": "squat - good"}', None),
        ('["squat - good"]', None),
        ('{"exercise": "squat", "feedb', None),
        ('{"exercise": "\\ud800"}', "?"),
    ],
)
def test_exercise_name(text: str, name: str | None) -> None:
    assert exercise_name(text) == name


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Push-Up", "push up", True),
        ("pushup", "PUSH - UP", True),
        ("push‐up", "push-up", True),
        ("push−up", "push–up", True),
        ("ＳＱＵＡＴ", "squat", True),
        ("Straße", "STRASSE", True),
        ("push-ups", "push-press", False),
        ("push-ups", "push-up", False),
        ("squat", "squat jump", False),
        ("-", " ", False),
        (None, None, False),
        ("squat", None, False),
    ],
)
def test_same_exercise(first: str | None, second: str | None, same: bool) -> None:
    assert same_exercise(first, second) is same
    assert same_exercise(second, first) is same


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a": 1}', True),
        (" [1, 2]\n", True),
        ("{}", True),
        ("[]", True),
        ("3", False),
        ('"squat"', False),
        ("null", False),
        ("", False),
        ('{"a": 1} thanks', False),
        ('```json\n{"a": 1}\n```', False),
        ("{'a': 1}", False),
        ('{"a": NaN}', False),
        ("[" * 100_000, False),
        ("[" + "9" * 10_000 + "]", False),
    ],
)
def test_parse_json(text: str, valid: bool) -> None:
    assert (parse_json(text) is not None) is valid


@given(st.text())
def test_a_name_is_tidy_or_absent_whatever_the_text(text: str) -> None:
    name = exercise_name(text)
    if name is not None:
        assert name == " ".join(name.split()) != ""


@given(st.text())
def test_the_normalized_form_is_its_own_normalized_form(text: str) -> None:
    assert normalize_name(normalize_name(text)) == normalize_name(text)


@given(
    st.lists(WORD, min_size=1, max_size=3),
    st.text("abc -:", max_size=20),
    st.sampled_from([" - ", " – ", " — ", "— ", ": "]),
)
def test_what_stands_before_the_first_separator_is_the_name(words: list[str], rest: str, separator: str) -> None:
    name = "-".join(words)
    assert exercise_name(f"{name}{separator}{rest}") == name
    assert same_exercise(exercise_name(f"{name}{separator}{rest}"), " ".join(words).upper())


@given(WORD, st.text())
def test_the_name_of_a_json_answer_is_its_field(name: str, feedback: str) -> None:
    assert exercise_name(json.dumps({"feedback": feedback, "exercise": name})) == name
