"""What a wanted answer that is JSON must look like: a JSON Schema, checked by the library `jsonschema`."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from pydantic import JsonValue

from videoguard.errors import UserError
from videoguard.manifests.labels import JsonContainer, parse_json

_SHOWN = 160


@dataclass(frozen=True)
class Violation:
    """A rule of the schema that an answer breaks."""

    kind: str
    """Where and which rule, without the value: what violations are counted by."""
    detail: str
    """The same with the value."""


@dataclass(frozen=True)
class AnswerSchema:
    """A schema that is itself sound."""

    content: Mapping[str, JsonValue]

    def find_violation(self, text: str) -> Violation | None:
        """The first rule that a text breaks, in the order of the answer; None where it is JSON that fits the schema."""
        value = parse_json(text)
        if value is None:
            return Violation("not a JSON object or array", f"not a JSON object or array: {_shorten(text)}")
        errors = self.errors(value)
        return _violation(errors[0]) if errors else None

    def errors(self, value: JsonContainer) -> list[ValidationError]:
        """Every rule that a value breaks, by its place in the value."""
        return sorted(
            self._validator.iter_errors(cast(Any, value)), key=lambda error: [str(part) for part in error.absolute_path]
        )

    @cached_property
    def _validator(self) -> Validator:
        return validator_for(self.content, default=Draft202012Validator)(self.content)


def load_answer_schema(source: Path | Mapping[str, JsonValue] | None) -> AnswerSchema:
    """The schema of a file, or the one that is given; where none is, any JSON object or array fits.

    Raises:
        UserError: the file cannot be read, or holds no sound JSON Schema.
    """
    if source is None:
        return AnswerSchema({"type": ["object", "array"]})
    content, name = (_read(source), str(source)) if isinstance(source, Path) else (source, "inline")
    if not isinstance(content, dict):
        raise UserError(f"dataset.answer.json_schema {name} holds {type(content).__name__}: it must be a JSON object")
    try:
        validator_for(content, default=Draft202012Validator).check_schema(content)
    except SchemaError as fault:
        raise UserError(
            f"dataset.answer.json_schema {name} is no JSON Schema, at {_place(fault)}: {fault.message}"
        ) from None
    return AnswerSchema(content)


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"dataset.answer.json_schema {path} does not exist: give the path of a JSON Schema") from None
    except (OSError, UnicodeDecodeError) as unreadable:
        raise UserError(f"dataset.answer.json_schema {path} cannot be read: {unreadable}") from None
    except ValueError as malformed:
        raise UserError(f"dataset.answer.json_schema {path} is not JSON: {malformed}") from None


def _violation(error: ValidationError) -> Violation:
    place = _place(error)
    kind = f"{re.sub(r'[0-9]+', '*', place)} breaks the rule {error.validator}"
    return Violation(kind, f"{place}: {_shorten(error.message)}")


def _place(error: ValidationError | SchemaError) -> str:
    """`timeline[0].ts`; `the answer` for the whole of it."""
    return _path_words(list(error.absolute_path)) or "the answer"


def _path_words(path: Sequence[str | int]) -> str:
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return words.removeprefix(".")


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
