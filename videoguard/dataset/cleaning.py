"""Wanted answers brought to their JSON Schema by rules that change how something is written, never what is said.

The rules, in this order; each is tried only on what breaks the schema, and kept only where it then fits:

- `text around the JSON`: a Markdown fence, a sentence before or brackets behind the one JSON value are cut off.
- `unknown key`: a key that the schema does not allow is dropped.
- `spelling`: a text that breaks a `pattern` or is not of an `enum` is tried without white space that says nothing, in the
  letter case that the rule wants, and as a clock with two digits a part (`q1 9:59` becomes `Q1 09:59`).

What still breaks the schema is left out with its reason: `OT117 10:59` is no way of writing `OT1`.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

from jsonschema import ValidationError

from videoguard.config import AnswerSection
from videoguard.dataset.answer_schema import AnswerSchema, load_answer_schema
from videoguard.errors import UserError
from videoguard.manifests.labels import JsonContainer, parse_json
from videoguard.manifests.sample import Sample

QUARANTINE = "quarantine.jsonl"
AROUND, UNKNOWN_KEY, SPELLING = "text around the JSON", "unknown key", "spelling"
_MOST_ROUNDS = 100
_SHOWN_KINDS = 5


@dataclass(frozen=True)
class CleanedAnswer:
    """A wanted answer that fits its schema."""

    text: str
    repairs: tuple[str, ...]
    """Names of the rules that were used; none where it fitted as it was."""


@dataclass(frozen=True)
class DroppedSample:
    """A sample that is left out, and why."""

    sample: str
    reason: str


@dataclass(frozen=True)
class Cleaning:
    """What became of the wanted answers of a data set."""

    samples: list[Sample]
    """Those that are kept, with their answers as they now are."""
    dropped: list[DroppedSample] = field(default_factory=list)
    repaired: dict[str, int] = field(default_factory=dict)
    """Answers by the rule that was used on them."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Dropped samples by the rule of the schema that they break, the commonest first."""


def clean_samples(samples: Sequence[Sample], schema: AnswerSchema, *, clean: bool = True) -> Cleaning:
    """Samples whose wanted answers fit a schema, and what it took.

    Args:
        samples: with wanted answers.
        schema: what an answer must look like.
        clean: whether answers may be repaired and samples left out.

    Raises:
        UserError: an answer breaks the schema and `clean` is false, or no answer can be brought to it.
    """
    kept: list[Sample] = []
    dropped: list[DroppedSample] = []
    repaired: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for sample in samples:
        text = sample.answer or ""
        cleaned = clean_answer(text, schema) if clean else _as_it_is(text, schema)
        if cleaned is not None:
            kept.append(replace(sample, answer=cleaned.text))
            repaired.update(cleaned.repairs)
            continue
        violation = schema.find_violation(text)
        assert violation is not None
        dropped.append(DroppedSample(sample.id, f"the wanted answer breaks its JSON Schema, {violation.detail}"))
        reasons[violation.kind] += 1
    if dropped and not (clean and kept):
        _refuse(reasons, len(samples), clean)
    return Cleaning(kept, dropped, dict(repaired), dict(reasons.most_common()))


def clean_for(samples: Sequence[Sample], answer: AnswerSection | None) -> Cleaning:
    """`clean_samples` as a recipe wants it; all samples as they are where it has no schema."""
    if answer is None:
        return Cleaning(list(samples))
    return clean_samples(samples, load_answer_schema(answer.json_schema), clean=answer.clean)


def write_dropped(dropped: Sequence[DroppedSample], folder: Path) -> None:
    """Write what was left out into a dataset's folder, as JSON Lines."""
    lines = [json.dumps(asdict(sample), ensure_ascii=False) + "\n" for sample in dropped]
    (folder / QUARANTINE).write_text("".join(lines), encoding="utf-8")


def read_dropped(folder: Path) -> list[DroppedSample]:
    """What `write_dropped` wrote."""
    with (folder / QUARANTINE).open(encoding="utf-8") as lines:
        return [DroppedSample(**json.loads(line)) for line in lines]


def clean_answer(text: str, schema: AnswerSchema) -> CleanedAnswer | None:
    """An answer that fits a schema, after the rules of this module where it has to; None where they do not suffice."""
    value = parse_json(text)
    repairs: list[str] = []
    if value is None:
        value = _inner_json(text)
        if value is None:
            return None
        repairs.append(AROUND)
    # A repair may show the next fault: an object within an object that was refused as a whole.
    for _ in range(_MOST_ROUNDS):
        errors = schema.errors(value)
        if not errors:
            written = json.dumps(value, ensure_ascii=False) if repairs else text.strip()
            return CleanedAnswer(written, tuple(dict.fromkeys(repairs)))
        used = next((rule for error in errors if (rule := _repair(value, error)) is not None), None)
        if used is None:
            return None
        repairs.append(used)
    return None


def _as_it_is(text: str, schema: AnswerSchema) -> CleanedAnswer | None:
    return CleanedAnswer(text, ()) if schema.find_violation(text) is None else None


def _refuse(reasons: Counter[str], samples: int, clean: bool) -> None:
    told = "\n".join(f"  - {kind}: {count:,}" for kind, count in reasons.most_common(_SHOWN_KINDS))
    mend = (
        "correct dataset.answer.json_schema or the manifest"
        if clean
        else "set dataset.answer.clean, or correct the manifest"
    )
    raise UserError(f"{sum(reasons.values()):,} of {samples:,} wanted answers break their JSON Schema; {mend}\n{told}")


def _inner_json(text: str) -> JsonContainer | None:
    """The one JSON object or array within a text; None where there is none, or more than brackets and a fence beside it."""
    start = re.search(r"[\[{]", text)
    if start is None:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text, start.start())
    except (ValueError, RecursionError):
        return None
    # Words behind it may be a second value, or the end of an answer that was cut in two.
    return cast(JsonContainer, value) if not re.search(r"\w", text[end:]) else None


def _repair(value: JsonContainer, error: ValidationError) -> str | None:
    """Mend in place what one error is about; the name of the rule that did, or None."""
    if error.validator == "additionalProperties" and error.validator_value is False:
        _drop_unknown_keys(error)
        return UNKNOWN_KEY
    if error.validator in {"pattern", "enum", "const"} and isinstance(error.instance, str) and error.absolute_path:
        for spelling in _spellings(error.instance, error):
            if error.validator == "pattern" and not re.search(str(error.validator_value), spelling):
                continue
            _put(value, list(error.absolute_path), spelling)
            return SPELLING
    return None


def _drop_unknown_keys(error: ValidationError) -> None:
    schema, instance = cast("dict[str, dict[str, object]]", error.schema), cast("dict[str, object]", error.instance)
    patterns = schema.get("patternProperties", {})
    known = schema.get("properties", {})
    unknown = [key for key in instance if key not in known and not any(re.search(pattern, key) for pattern in patterns)]
    for key in unknown:
        del instance[key]


def _spellings(text: str, error: ValidationError) -> list[str]:
    """Other ways of writing a text, the nearest first."""
    tidy = " ".join(text.split())
    if error.validator != "pattern":
        allowed = cast("list[object]", [error.validator_value] if error.validator == "const" else error.validator_value)
        return [value for value in allowed if isinstance(value, str) and value.casefold() == tidy.casefold()]
    cases: list[Callable[[str], str]] = [str, str.upper, str.lower]
    return [case(written) for written in (tidy, _clock(tidy)) for case in cases]


def _clock(text: str) -> str:
    """Two digits in each part of a clock time, and no space at its colons: `9 :5` becomes `09:05`."""
    closed = re.sub(r"(?<=[0-9])\s*:\s*(?=[0-9])", ":", text)
    return re.sub(r"(?<![0-9])[0-9](?=:)|(?<=:)[0-9](?![0-9])", lambda digit: f"0{digit[0]}", closed)


def _put(value: JsonContainer, path: list[str | int], new: str) -> None:
    here: object = value
    for part in path[:-1]:
        here = cast("dict[str | int, object]", here)[part]
    cast("dict[str | int, object]", here)[path[-1]] = new
