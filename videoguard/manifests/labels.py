"""The exercise that an answer names, and when two names are the same exercise."""

import json
import re
import unicodedata

from videoguard.manifests.sample import Sample

JsonContainer = dict[str, object] | list[object]

_NAME_KEYS = ("exercise", "label", "action")
_MOST_BARE_WORDS = 4

# A hyphen separates only between spaces ("push-ups" is one word); a dash or a colon with a space on either side
# ("10:30" is one word). The end of the text counts as a space.
_SEPARATOR = re.compile(r"\s-(?=\s|$)|[–—:](?=\s|$)|(?<=\s)[–—:]")
_SENTENCE_MARKS = re.compile(r"[.,;!?]")
_MINUS_SIGN = "\N{MINUS SIGN}"


def exercise_name(text: str) -> str | None:
    """Exercise that an answer names, as it is written there; None where it names none.

    The rules, in this order:

    1. A JSON object names it in its string `exercise`, else `label`, else `action`; no other JSON names one.
    2. The name stands before the first ` - `, en dash, em dash or colon with a space beside it.
    3. A text without any of these is a name itself where it has at most four words on one line and, but for a full stop
       at its end, none of `. , ; ! ?`: `Squat.` is a name, `You did that very well` is not.
    """
    text = text.strip()
    if text.startswith(("{", "[")):
        return _name_in_json(text)
    before, separated = _before_separator(text)
    if separated:
        return _tidy(before)
    bare = text.removesuffix(".")
    if len(bare.split()) > _MOST_BARE_WORDS or "\n" in bare or _SENTENCE_MARKS.search(bare):
        return None
    return _tidy(bare)


def label_of(sample: Sample) -> str | None:
    """Class of a sample: the one that its manifest states, else the exercise that its answer names."""
    return sample.label if sample.label is not None or sample.answer is None else exercise_name(sample.answer)


def normalize_name(name: str) -> str:
    """Form in which two names are compared: NFKC, case-folded, without white space, hyphens and dashes."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    joined = "".join(character for character in folded if not _is_space_or_hyphen(character))
    # An accent that followed a space belongs to the letter before it now.
    return unicodedata.normalize("NFKC", joined)


def same_exercise(first: str | None, second: str | None) -> bool:
    """Whether both name the same exercise: `Push-Up` and `push up` do, `push-ups` and `push-press` do not.

    A plural is another name. What names nothing agrees with nothing, not even with itself.
    """
    if first is None or second is None:
        return False
    normalized = normalize_name(first)
    return normalized != "" and normalized == normalize_name(second)


def parse_json(text: str) -> JsonContainer | None:
    """JSON object or array that the whole text is (RFC 8259: no NaN, no infinity), or None where it is neither."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value: JsonContainer = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # RecursionError: thousands of nested brackets, as a model that has lost its way writes them.
        return None
    return value


def _before_separator(text: str) -> tuple[str, bool]:
    separator = _SEPARATOR.search(text)
    return (text[: separator.start()], True) if separator else (text, False)


def _name_in_json(text: str) -> str | None:
    value = parse_json(text)
    if not isinstance(value, dict):
        return None
    for key in _NAME_KEYS:
        name = value.get(key)
        if isinstance(name, str) and _tidy(name):
            return _tidy(name)
    return None


def _tidy(name: str) -> str | None:
    # JSON escapes can spell half a surrogate pair, which no file could hold.
    writable = name.encode("utf-8", errors="replace").decode("utf-8")
    return " ".join(writable.split()) or None


def _is_space_or_hyphen(character: str) -> bool:
    return character.isspace() or character == _MINUS_SIGN or unicodedata.category(character) == "Pd"


def _refuse_constant(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
