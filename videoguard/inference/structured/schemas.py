"""From a JSON Schema to the grammar that decoding is held to. Loads neither a model nor a tokenizer."""

from collections.abc import Mapping
from typing import Any

from llguidance import LLMatcher
from pydantic import JsonValue

from videoguard.errors import UserError

# On one line or indented, as JSON is written; a model without a plan would write blanks up to its limit.
_OPTIONS: Any = {"whitespace_pattern": r"\x20|\x0A[\x20\x09]{0,16}"}


def grammar_of(schema: Mapping[str, JsonValue]) -> str:
    """The grammar of a schema, as llguidance reads it."""
    return str(LLMatcher.grammar_from_json_schema(dict(schema), overrides=_OPTIONS))


def require_grammar(schema: Mapping[str, JsonValue]) -> None:
    """Refuse a schema that decoding cannot be held to.

    Raises:
        UserError: naming the keyword.
    """
    failed, messages = LLMatcher.validate_grammar_with_warnings(grammar_of(schema))
    if failed:
        reason = " ".join(messages[0].split())
        raise UserError(
            f"decoding cannot be held to dataset.answer.json_schema: {reason}; leave that out of the schema, or set "
            "inference.constrained to false, and answers are mended and measured by the whole schema afterwards"
        )
