"""Broken JSON, mended or left alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.dataset.answer_schema import AnswerSchema, load_answer_schema
from videoguard.inference.structured.repair import repair
from videoguard.manifests.labels import parse_json

ANY = load_answer_schema(None)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('{"a": 1, "b": [1, 2', {"a": 1, "b": [1, 2]}),
        ("{'a': True, 'b': None}", {"a": True, "b": None}),
        ('{"a": 1,}', {"a": 1}),
        ('```json\n{"a": "é"}\n```', {"a": "é"}),
        ('The answer is {"a": 1}.', {"a": 1}),
        ('{"event": "he said "go" loudly"}', {"event": 'he said "go" loudly'}),
    ],
)
def test_what_is_meant_is_written_as_json(text, mended):
    written = repair(text, ANY)
    assert written is not None
    assert json.loads(written) == mended


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "[]", "squat - keep your back straight", "", "{", "12", '{"a": 1e999', "[" * 5000]
)
def test_nothing_is_made_up_and_nothing_mended_that_is_whole(text):
    assert repair(text, ANY) is None


def test_a_value_of_another_type_than_the_schema_wants_is_no_repair():
    assert repair("[1, 2", AnswerSchema({"type": "object"})) is None
    assert repair("[1, 2", AnswerSchema({"type": "array"})) == "[1, 2]"


@given(st.text(alphabet='{}[]":,\\ abé1\n.-'))
def test_a_repair_is_json_that_a_file_can_hold(text):
    written = repair(text, ANY)
    if written is not None:
        assert parse_json(text) is None
        assert parse_json(written) is not None
        assert written.encode()
