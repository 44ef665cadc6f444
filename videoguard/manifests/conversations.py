"""Rows of the conversations form, and of the flat form, as fields.

`{"video", "conversations": [{"from": "human", "value"}, {"from": "gpt", "value"}], "split"?}`
`{"video", "question", "answer", "split"?}`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from videoguard.manifests.sample import RowProblem

Format = Literal["conversations", "flat"]
Split = Literal["train", "validation", "test"]

_PLACEHOLDER = re.compile(r"<(?:video|image)>\n?")
_SPLITS: dict[str, Split] = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_ROLES = ("human", "gpt")
_TYPE_NAMES: dict[type, str] = {dict: "an object", list: "a list", bool: "a truth value", int: "a number", float: "a number"}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A row whose fields are well-formed; whether its video may be read is not looked at yet."""

    video: str
    question: str
    answer: str
    split: Split | None


class _RowReader:
    """Reads the fields of one row and collects what is wrong with them."""

    def __init__(self, row: int) -> None:
        self.row = row
        self.problems: list[RowProblem] = []

    def refuse(self, field: str, problem: str) -> None:
        self.problems.append(RowProblem(self.row, field, problem))

    def text(self, fields: Mapping[str, object], name: str, label: str | None = None) -> str:
        """A text that says something; the empty string where it is refused."""
        label = label or name
        if fields.get(name) is None:
            self.refuse(label, "is missing: it must be a text")
            return ""
        value = fields[name]
        if not isinstance(value, str):
            self.refuse(label, f"is {show(value)}, {_TYPE_NAMES.get(type(value), 'no text')}: it must be a text")
        elif not value.strip():
            self.refuse(label, "is empty: it must say something")
        elif not _is_unicode(value):
            self.refuse(label, "holds half of a surrogate pair: it must be whole Unicode text")
        else:
            return value
        return ""

    def split(self, fields: Mapping[str, object]) -> Split | None:
        """The split that the row names, in our words."""
        value = fields.get("split")
        if value is None:
            return None
        if not isinstance(value, str) or value not in _SPLITS:
            self.refuse("split", f"is {show(value)}: it must be train, validation or test")
            return None
        return _SPLITS[value]

    def exchange(self, turns: object) -> tuple[str, str]:
        """Question and answer of a conversation of one exchange."""
        if not isinstance(turns, list) or not turns:
            self.refuse("conversations", f"is {show(turns)}: it must be a list of a human turn and a gpt turn")
            return "", ""
        roles = [turn.get("from") if isinstance(turn, dict) else None for turn in turns]
        if any(role != _ROLES[position % 2] for position, role in enumerate(roles)) or len(roles) % 2:
            told = ", ".join(role if isinstance(role, str) else "none" for role in roles)
            self.refuse("conversations", f"has turns from {told[:_SHOWN]}: they must be from human and gpt in turn")
            return "", ""
        if len(turns) > len(_ROLES):
            self.refuse(
                "conversations", f"has {len(turns) // 2} exchanges: more than one is not read yet; make a row of each"
            )
            return "", ""
        question = self.text(turns[0], "value", "conversations[0].value")
        return question, self.text(turns[1], "value", "conversations[1].value")


def read_row(row: int, content: object) -> tuple[ManifestRow | None, list[RowProblem]]:
    """The fields of the row at this position, or every problem that it has.

    Placeholders `<video>` and `<image>` are taken out of the question: where the frames go is the prompt's matter.
    """
    reader = _RowReader(row)
    if not isinstance(content, dict):
        reader.refuse("row", f"is {show(content)}: it must be an object")
        return None, reader.problems
    video = reader.text(content, "video")
    if "conversations" in content:
        question, answer = reader.exchange(content["conversations"])
    elif "question" in content or "answer" in content:
        question, answer = reader.text(content, "question"), reader.text(content, "answer")
    else:
        has = ", ".join(content) or "nothing"
        reader.refuse(
            "conversations", f"is missing: a row has conversations, or a question and an answer; this one has {has}"
        )
        return None, reader.problems
    split = reader.split(content)
    stripped = _PLACEHOLDER.sub("", question).strip()
    if question and not stripped:
        reader.refuse("question", f"is {show(question)}: it must ask something beside the placeholder")
    if reader.problems:
        return None, reader.problems
    return ManifestRow(video, stripped, answer.strip(), split), []


def detect_format(rows: list[object]) -> Format:
    """The form that the rows are written in; conversations where both stand together."""
    return "conversations" if any(isinstance(row, dict) and "conversations" in row for row in rows) else "flat"


def show(value: object) -> str:
    """A refused value, short enough for one line."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
