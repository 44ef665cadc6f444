"""Texts about a mirror image: sides change places, everything else that might be one refuses."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.augmentation.mirroring import mirror_text

MIRRORED = {
    "squat - bend the left knee more": "squat - bend the right knee more",
    "Left arm straight, right arm bent": "Right arm straight, left arm bent",
    "KEEP YOUR LEFT FOOT DOWN": "KEEP YOUR RIGHT FOOT DOWN",
    "lean to the right.": "lean to the left.",
    "you lean to your left and fall": "you lean to your right and fall",
    "turn right, then step left": "turn left, then step right",
    "the left-hand side": "the right-hand side",
    "the right lower leg drops": "the left lower leg drops",
    "alternate left and right": "alternate right and left",
    "from left to right": "from right to left",
    '{"side": "left", "exercise": "lunge"}': '{"side": "right", "exercise": "lunge"}',
    '{"left_arm": 3}': '{"right_arm": 3}',
    "the left's knee is your left knee": None,
    "the leftmost dumbbell drifts rightwards": "the rightmost dumbbell drifts leftwards",
    "right lunge - good": "left lunge - good",
    "stay upright and bright-eyed": "stay upright and bright-eyed",
    "no sides here, with umlauts: größer": "no sides here, with umlauts: größer",
    "": "",
}

REFUSED = [
    "that is right",
    "the right depth",
    "right squat form",
    "a right angle at the knee",
    "all right, go on",
    "it looks right.",
    "two reps are left",
    "you left the frame",
    "turn clockwise",
    "the leftArm is low",
    "LeFt arm",
    "a lefty stance",
    "bend the left knee right now",
    "right",
]


@pytest.mark.parametrize(("text", "mirrored"), MIRRORED.items())
def test_sides_change_places_whole_words_in_their_case(text, mirrored):
    assert mirror_text(text) == mirrored


@pytest.mark.parametrize("text", REFUSED)
def test_what_may_not_be_a_side_refuses_the_text(text):
    assert mirror_text(text) is None


WORDS = st.sampled_from(
    [
        "left",
        "right",
        "Left",
        "RIGHT",
        "arm",
        "knee",
        "the",
        "your",
        "to",
        "and",
        "is",
        "turn",
        "upright",
        "leftmost",
        "form",
    ]
)
MARKS = st.sampled_from([" ", ", ", ". ", "-", "_", "/", ' "', '" '])


@settings(max_examples=300)
@given(st.lists(st.tuples(WORDS, MARKS), max_size=8).map(lambda pairs: "".join(word + mark for word, mark in pairs)))
def test_mirrored_twice_is_the_text_again(text):
    mirrored = mirror_text(text)
    if mirrored is not None:
        assert mirror_text(mirrored) == text
        for side, other in (("left", "right"), ("right", "left")):
            assert words_of(text).count(side) == words_of(mirrored).count(other)
        assert len(words_of(text)) == len(words_of(mirrored))


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@settings(max_examples=300)
@given(st.text())
def test_any_text_is_mirrored_or_refused_and_one_without_sides_is_kept(text):
    mirrored = mirror_text(text)
    if not any(word in text.lower() for word in ("left", "right", "clockwise")):
        assert mirrored == text
    elif mirrored is not None:
        assert mirror_text(mirrored) == text
