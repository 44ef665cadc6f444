"""Broken JSON mended by the library json-repair: a missing bracket, quotes of the wrong kind, words around the value."""

import json
from typing import cast

import json_repair
from jsonschema import Draft202012Validator

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.manifests.labels import JsonContainer, parse_json


def repair(text: str, schema: AnswerSchema) -> str | None:
    """The JSON object or array that a text was to be; None where it is one already, or none can be made of it.

    A repair never makes up a value: what comes out empty of a text that holds more, or of another type than the schema
    wants, is none.
    """
    if parse_json(text) is not None:
        return None
    try:
        value = cast("object", json_repair.loads(text, skip_json_loads=True))
    except (ValueError, RecursionError):
        # Thousands of nested brackets, as a model that has lost its way writes them.
        return None
    if not isinstance(value, dict | list) or not value or not _is_wanted(value, schema):
        return None
    written = json.dumps(value, ensure_ascii=False)
    # The library reads NaN and half a surrogate pair, which no JSON text may hold.
    return written if parse_json(written) is not None and _is_writable(written) else None


def _is_wanted(value: JsonContainer, schema: AnswerSchema) -> bool:
    """Whether the value is of the type that the schema names, whatever else it asks."""
    types = schema.content.get("type")
    return types is None or Draft202012Validator({"type": types}).is_valid(value)


def _is_writable(text: str) -> bool:
    return text.encode("utf-8", errors="replace").decode("utf-8") == text
