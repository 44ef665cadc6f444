"""The fields of one manifest row, and everything that is wrong with them."""

import math
import re
import reprlib
from collections.abc import Mapping

from videoguard.manifests.paths import MediaRule
from videoguard.manifests.sample import Exchange, GuardAnnotation, RowProblem, Sample, Scalar, Split

COMMON_FIELDS = frozenset({"split", "label", "system"})
"""Fields that a row of every format may have."""

_PLACEHOLDER = re.compile(r"<(?:video|image)>\n?")
_SPLITS: dict[str, Split] = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_TYPE_NAMES: dict[type, str] = {dict: "an object", list: "a list", bool: "a truth value", int: "a number", float: "a number"}
_SHOWN = 60
_MOST_NAMES = 12

_short = reprlib.Repr()
# Nested values are not walked to their end: a row may be nested deeper than repr can go.
_short.maxlevel = 2
_short.maxstring = _short.maxother = _short.maxlong = _SHOWN


def show(value: object) -> str:
    """A refused value, short enough for one line, and printable."""
    text = _short.repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def show_names(content: Mapping[object, object]) -> str:
    """The names of the fields of a row, printable."""
    names = [str(name) if str(name).isidentifier() else show(name) for name in list(content)[:_MOST_NAMES]]
    more = ["…"] if len(content) > _MOST_NAMES else []
    return ", ".join([*names, *more]) or "nothing"


class Row:
    """Reads one row; a value that breaks a rule becomes a problem, and its reader goes on with an empty one."""

    def __init__(self, number: int, content: Mapping[str, object], media: MediaRule) -> None:
        self.number = number
        self.content = content
        self.problems: list[RowProblem] = []
        self.unread: list[str] = []
        """Fields that say something, and that no sample can hold."""
        self._media = media
        self._used: set[str] = set()

    def get(self, name: str) -> object:
        """A field of the row; None where it is missing."""
        self._used.add(name)
        return self.content.get(name)

    def refuse(self, field: str, problem: str) -> None:
        """Note a broken rule."""
        self.problems.append(RowProblem(self.number, field, problem))

    def text(self, value: object, field: str) -> str:
        """A text that says something, without white space at its ends."""
        if value is None:
            self.refuse(field, "is missing: it must be a text")
        elif not isinstance(value, str):
            self.refuse(field, f"is {show(value)}, {_type_name(value)}: it must be a text")
        elif not value.strip():
            self.refuse(field, "is empty: it must say something")
        elif self._is_unicode(value, field):
            return value.strip()
        return ""

    def optional_text(self, value: object, field: str) -> str | None:
        """A text, or None where it is missing or empty."""
        return None if _is_absent(value) else self.text(value, field) or None

    def question(self, value: object, field: str) -> str:
        """A question without placeholders: where the media go is the prompt's matter."""
        asked = self.text(value, field)
        bare = strip_placeholders(asked)
        if asked and not bare:
            self.refuse("question", f"is {show(asked)}: it must ask something beside the placeholder")
        return bare

    def items(self, value: object, field: str) -> list[object]:
        """A list with at least one entry."""
        found = self.optional_items(value, field)
        if not found and not any(problem.field == field for problem in self.problems):
            self.refuse(field, f"is {show(value)}: it must be a list with at least one entry")
        return found

    def optional_items(self, value: object, field: str) -> list[object]:
        """A list, which may be empty or missing."""
        if _is_absent(value):
            return []
        if isinstance(value, list):
            return value
        self.refuse(field, f"is {show(value)}, {_type_name(value)}: it must be a list")
        return []

    def mapping(self, value: object, field: str) -> Mapping[str, object]:
        """An object."""
        if isinstance(value, dict):
            return value
        self.refuse(
            field, "is missing: it must be an object" if value is None else f"is {show(value)}: it must be an object"
        )
        return {}

    def seconds(self, value: object, field: str) -> float:
        """A time from the beginning of a video."""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
            return float(value)
        self.refuse(field, f"is {show(value)}: it must be a number of seconds from 0 on")
        return 0.0

    def media(self, value: object, field: str) -> str:
        """The name of a video or image file that the row may use."""
        if not self.text(value, field):
            return ""
        written = str(value)
        name = self._media.simplify(written)
        if (rule := self._media.broken_by(name)) is not None:
            self.refuse(field, f"is {show(written)}: {rule}")
            return ""
        return name

    def sample(
        self,
        *,
        question: str,
        answer: str | None,
        video: str | None = None,
        images: tuple[str, ...] = (),
        label: str | None = None,
        system: str | None = None,
        history: tuple[Exchange, ...] = (),
        guard: GuardAnnotation | None = None,
        output_video: str | None = None,
    ) -> Sample | None:
        """The sample of this row, as yet without an id; with the fields of every format. None where one is refused."""
        split = self._split()
        system = system if system is not None else self._common_text("system")
        label = label if label is not None else self._common_text("label")
        others = self._others()
        if self.problems:
            return None
        return Sample(
            id="",
            root=self._media.root,
            question=question,
            answer=answer,
            video=video,
            images=images,
            split=split,
            label=label,
            system=system,
            history=history,
            guard=guard,
            output_video=output_video,
            fields=others,
        )

    def _split(self) -> Split | None:
        value = self.get("split")
        if _is_absent(value):
            return None
        if not isinstance(value, str) or value not in _SPLITS:
            self.refuse("split", f"is {show(value)}: it must be train, validation or test")
            return None
        return _SPLITS[value]

    def _common_text(self, name: str) -> str | None:
        if name in self._used:
            return None
        value = self.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            self.unread.append(name)
            return None
        return self.optional_text(value, name)

    def _others(self) -> dict[str, Scalar]:
        """The fields that no format knows; what holds more than one value is not read."""
        others: dict[str, Scalar] = {}
        for name, value in self.content.items():
            if name in self._used or _is_absent(value):
                continue
            if not isinstance(value, (str, int, float)):
                self.unread.append(show_names({name: value}))
            elif isinstance(value, float) and not math.isfinite(value):
                self.refuse(show_names({name: value}), f"is {value}: it must be a finite number")
            elif self._is_unicode(name, show(name)) and (not isinstance(value, str) or self._is_unicode(value, name)):
                others[name] = value
        return others

    def _is_unicode(self, text: str, field: str) -> bool:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            self.refuse(field, "holds half of a surrogate pair: it must be whole Unicode text")
            return False
        return True


def strip_placeholders(text: str) -> str:
    """A text without `<video>` and `<image>`, also where taking one out makes another."""
    while (bare := _PLACEHOLDER.sub("", text)) != text:
        text = bare
    return text.strip()


def _type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), "no text")


def _is_absent(value: object) -> bool:
    return value is None or value == ""
