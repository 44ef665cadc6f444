"""Answers held to a schema: all of an untrained model fit, in any tokenizer, within any limit that leaves room for one."""

import json
import random
from pathlib import Path

import pytest
from pydantic import JsonValue

from videoguard.config import InferenceSection
from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.errors import UserError
from videoguard.inference.engine import Engine
from videoguard.inference.structured.answers import JsonAnswers, generation_settings, json_answers
from videoguard.inference.structured.schemas import require_grammar
from videoguard.models.base import find_base
from videoguard.models.families import _FAMILIES
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import Preprocessor

TIMELINE: dict[str, JsonValue] = json.loads((Path(__file__).parents[3] / "configs/schemas/timeline.json").read_text())
NUMBERS: dict[str, JsonValue] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["rows", "unit"],
    "properties": {
        "rows": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": {"type": "array", "minItems": 2, "items": {"type": "number", "minimum": -1.5, "maximum": 99.25}},
        },
        "unit": {"enum": ["kg", "°", "m/s"]},
        "note": {"type": "string", "maxLength": 20},
    },
}
TREE: dict[str, JsonValue] = {
    "$defs": {
        "node": {
            "type": "object",
            "additionalProperties": False,
            "required": ["value", "children"],
            "properties": {
                "value": {"type": "integer", "minimum": 10, "maximum": 99},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
        }
    },
    "$ref": "#/$defs/node",
}
TEXTS: dict[str, JsonValue] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["имя", "code"],
    "properties": {
        "имя": {"type": "string", "pattern": "^[а-яё]+$", "minLength": 3, "maxLength": 12},
        "code": {"type": "string", "pattern": "^a*b[0-9]{2}$"},
        "more": {"anyOf": [{"type": "null"}, {"type": "boolean"}, {"type": "string", "minLength": 10}]},
    },
}
ANY: dict[str, JsonValue] = {"type": ["object", "array"]}


@pytest.fixture(scope="module")
def engine_of(tiny_family):
    """Gives an engine of an untrained model of a family."""

    def make(family: str) -> Engine:
        base = find_base(str(tiny_family(family)))
        return Engine(load_model(base, "float32"), Preprocessor(load_processor(base), base.family), batch_size=40)

    return make


@pytest.fixture(scope="module")
def llama(engine_of):
    return engine_of("llama")


def _prompts(engine, count):
    chance = random.Random(0)
    words = ["".join(chance.choices('abcdefgh {}[]":,', k=chance.randint(5, 60))) for _ in range(count)]
    return [engine.preprocessor.prompt([{"role": "user", "content": [{"type": "text", "text": word}]}]) for word in words]


def _answers(engine, schema, most, count):
    settings = generation_settings(most, JsonAnswers(AnswerSchema(schema), constrained=True), engine)
    return engine.answer(_prompts(engine, count), settings)


def test_two_hundred_answers_of_an_untrained_model_fit_the_timeline(llama):
    answers = _answers(llama, TIMELINE, 96, 200)
    schema = AnswerSchema(TIMELINE)
    assert [answer.text for answer in answers if schema.find_violation(answer.text) is not None] == []
    assert len({answer.text for answer in answers}) > 50


@pytest.mark.parametrize("schema", [NUMBERS, TREE, TEXTS, ANY], ids=["numbers", "tree", "texts", "any"])
@pytest.mark.parametrize("most", [40, 100])
def test_answers_are_whole_within_their_limit(llama, schema, most):
    answers = _answers(llama, schema, most, 20)
    sound = AnswerSchema(schema)
    assert [answer.text for answer in answers if sound.find_violation(answer.text) is not None] == []
    assert all(answer.new_tokens <= most for answer in answers)


@pytest.mark.parametrize("family", sorted(_FAMILIES))
def test_every_family_writes_what_fits(engine_of, family):
    answers = _answers(engine_of(family), NUMBERS, 40, 4)
    assert [AnswerSchema(NUMBERS).find_violation(answer.text) for answer in answers] == [None] * 4


def test_an_answer_depends_on_no_other(llama):
    settings = generation_settings(48, JsonAnswers(AnswerSchema(NUMBERS), constrained=True), llama)
    prompts = _prompts(llama, 6)
    alone = [llama.answer([prompt], settings)[0].text for prompt in prompts]
    assert [answer.text for answer in llama.answer(prompts, settings)] == alone


def test_an_answer_ends_with_its_value(llama):
    (answer,) = _answers(llama, {"type": "array", "items": {"type": "null"}, "maxItems": 2}, 40, 1)
    assert answer.ended
    assert answer.new_tokens < 40
    assert answer.text.endswith("]")


def test_a_limit_without_room_for_any_answer_is_refused(llama):
    with pytest.raises(UserError, match=r"inference\.max_new_tokens is 5: .* takes \d+ tokens or more"):
        _answers(llama, NUMBERS, 5, 1)


def test_a_schema_without_an_end_is_refused(llama):
    endless = {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}},
        "$ref": "#/$defs/node",
    }
    with pytest.raises(UserError, match="takes more than 4096 tokens"):
        _answers(llama, endless, 100, 1)


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "object", "propertyNames": {"pattern": "^a"}}, "propertyNames"),
        ({"not": {"type": "string"}}, "not"),
        ({"$ref": "https://example.com/answer.json"}, "https://example.com/answer.json"),
        ({"type": "string", "pattern": "^(?=a)b"}, "look-around"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum"),
    ],
)
def test_what_decoding_cannot_be_held_to_is_named(schema, named):
    with pytest.raises(UserError, match=named) as refused:
        require_grammar(schema)
    assert "inference.constrained" in str(refused.value)


def test_text_answers_are_generated_as_ever(llama):
    assert json_answers(None, InferenceSection()) is None
    settings = generation_settings(7, None, llama)
    assert (settings.constraint, settings.stops) == (None, ())
