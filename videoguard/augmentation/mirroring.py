"""What a text about a video says of the mirror image: left and right change places, or the text is not mirrored at all.

English only. A word is exchanged where it speaks of a side for certain; `right` that may mean correct, and whatever else
might have a side, refuses the text: a sample that is not mirrored costs little, a wrong answer is learned.
"""

import re
from collections.abc import Sequence

_OTHER = {
    "left": "right",
    "leftmost": "rightmost",
    "leftward": "rightward",
    "leftwards": "rightwards",
    "right": "left",
    "rightmost": "leftmost",
    "rightward": "leftward",
    "rightwards": "leftwards",
}
_SPINS = {"clockwise", "counterclockwise", "anticlockwise"}
_NO_SIDE = {
    *("upright", "uprightness", "alright", "aright", "outright", "forthright", "copyright", "birthright", "playwright"),
    *("rightly", "rightful", "rightfully", "righteous", "rights", "leftover", "leftovers", "cleft"),
}
_NO_SIDE_BEGINS = ("bright", "fright", "copyright")

# What has a side, or is done to one.
_SIDED = {
    *("arm", "forearm", "hand", "wrist", "elbow", "shoulder", "palm", "fist", "finger", "fingers", "thumb", "side", "sided"),
    *("leg", "foot", "knee", "hip", "ankle", "heel", "toe", "toes", "thigh", "calf", "shin", "glute", "hamstring", "quad"),
    *("eye", "ear", "cheek", "half", "corner", "edge", "lat", "oblique", "pec", "biceps", "triceps", "limb", "handed"),
    *("lunge", "kick", "punch", "jab", "hook", "swipe", "turn", "step", "bend", "twist", "rotation", "raise", "leaning"),
}
_BETWEEN = {"front", "back", "rear", "lower", "upper", "inner", "outer", "leading", "standing", "supporting", "working"}
_TOWARDS = {"to", "on", "from", "toward", "towards"}
_OWNERS = {"the", "your", "his", "her", "their", "its", "my", "our"}
# Not "look": what looks right may be correct.
_DIRECTED = re.compile(
    r"(turn|lean|step|mov|rotat|bend|twist|shift|fac|tilt|swip|swing|kick|reach|drift|sway)(e|es|s|ing|ed)?"
)
_JOINTS = {"and", "or", "to", "then", "versus"}
_GO_ON = {
    "and",
    "or",
    "with",
    "while",
    "when",
    "as",
    "then",
    "in",
    "for",
    "at",
    "until",
    "before",
    "after",
    "but",
    "so",
    "too",
}
_QUOTES = {"\"'“‘": "\"'”’"}

_WORD = re.compile(r"[^\W\d_]+")


def mirror_text(text: str) -> str | None:
    """The text with left and right exchanged, whole words, each in its case; None where that is not safe.

    A text that names no side is returned as it is. Mirroring twice gives the text again.
    """
    words = list(_WORD.finditer(text))
    names = [word.group().lower() for word in words]
    pieces, end = [], 0
    for place, (word, name) in enumerate(zip(words, names, strict=True)):
        if name not in _OTHER:
            if _may_have_a_side(name):
                return None
            continue
        other = _in_case_of(word.group(), _OTHER[name])
        if other is None or not (name not in {"left", "right"} or _is_a_side(text, words, names, place)):
            return None
        pieces += [text[end : word.start()], other]
        end = word.end()
    return "".join([*pieces, text[end:]])


def _may_have_a_side(name: str) -> bool:
    if name in _SPINS:
        return True
    return ("left" in name or "right" in name) and name not in _NO_SIDE and not name.startswith(_NO_SIDE_BEGINS)


def _is_a_side(text: str, words: Sequence[re.Match[str]], names: Sequence[str], place: int) -> bool:
    """Whether the word at `place` speaks of a side for certain, by the words around it."""
    before = [*["", ""], *names[:place]]
    after = [*names[place + 1 :], "", ""]
    if after[0] in _SIDED or (after[0] in _BETWEEN and after[1] in _SIDED):
        return True
    opposite = _OTHER[names[place]]
    if (after[0] in _JOINTS and after[1] == opposite) or (before[-1] in _JOINTS and before[-2] == opposite):
        return True
    start, end = words[place].span()
    if text[start - 1 : start] and any(
        text[start - 1] in opening and text[end : end + 1] in closing for opening, closing in _QUOTES.items()
    ):
        return True
    following = words[place + 1].start() if place + 1 < len(words) else len(text)
    ends_here = after[0] in {"", *_GO_ON} or any(mark in text[end:following] for mark in ".,;:!?/)\n")
    directed = before[-1] in _OWNERS and before[-2] in _TOWARDS
    return ends_here and (directed or _DIRECTED.fullmatch(before[-1]) is not None)


def _in_case_of(word: str, other: str) -> str | None:
    """`other` written as `word` is; None for a case that is none of lower, UPPER and Title."""
    for write in (str.lower, str.upper, str.title):
        if word == write(word):
            return write(other)
    return None
