"""Wanted answers are brought to their schema by how they are written, or left out with a reason; never by what they say."""

import json
from collections import Counter
from pathlib import Path

import pytest

from videoguard.dataset.answer_schema import AnswerSchema, load_answer_schema
from videoguard.dataset.cleaning import clean_answer, clean_samples
from videoguard.errors import UserError
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.sample import Sample

TIMELINE = Path(__file__).parents[2] / "configs/schemas/timeline.json"


@pytest.fixture(scope="module")
def schema() -> AnswerSchema:
    return load_answer_schema(TIMELINE)


def answer(ts: str = "Q1 11:59", event: str = "Dunk", sentiment: str = "pos", **more: object) -> str:
    return json.dumps({"timeline": [{"ts": ts, "event": event, "fan_sentiment": sentiment, **more}]})


GOOD = answer()


@pytest.mark.parametrize(
    ("written", "cleaned", "repairs"),
    [
        (GOOD, GOOD, ()),
        (f"  {GOOD}\n", GOOD, ()),
        (f"```json\n{GOOD}\n```", GOOD, ("text around the JSON",)),
        (f"Here it is: {GOOD}", GOOD, ("text around the JSON",)),
        (f"{GOOD}]}}]}}", GOOD, ("text around the JSON",)),
        (answer(source="reddit"), GOOD, ("unknown key",)),
        (json.dumps({**json.loads(GOOD), "model": "x"}), GOOD, ("unknown key",)),
        (answer(ts="q1 11:59"), GOOD, ("spelling",)),
        (answer(ts="Q1  9:59 "), answer(ts="Q1 09:59"), ("spelling",)),
        (answer(ts="ot2 9 : 5"), answer(ts="OT2 09:05"), ("spelling",)),
        (answer(sentiment="Mixed "), answer(sentiment="mixed"), ("spelling",)),
        (
            f"```\n{answer(ts='q4 0:07', note=1)}```",
            answer(ts="Q4 00:07"),
            ("text around the JSON", "unknown key", "spelling"),
        ),
    ],
)
def test_what_is_only_written_wrong_is_repaired(schema, written, cleaned, repairs):
    found = clean_answer(written, schema)
    assert found is not None
    assert (found.text, found.repairs) == (cleaned, repairs)
    assert schema.find_violation(found.text) is None


@pytest.mark.parametrize(
    ("written", "kind", "detail"),
    [
        (
            answer(ts="OT117 10:59"),
            "timeline[*].ts breaks the rule pattern",
            "timeline[0].ts: 'OT117 10:59' does not match '^(Q[1-4]|OT[1-9]) [0-9]{2}:[0-9]{2}$'",
        ),
        (answer(ts="Q5 10:59"), "timeline[*].ts breaks the rule pattern", None),
        (answer(sentiment="angry"), "timeline[*].fan_sentiment breaks the rule enum", None),
        ('{"timeline": []}', "timeline breaks the rule minItems", None),
        ("{}", "the answer breaks the rule required", "the answer: 'timeline' is a required property"),
        (f"{GOOD} {GOOD}", "not a JSON object or array", None),
        (GOOD[:-3], "not a JSON object or array", None),
        ("Game over", "not a JSON object or array", "not a JSON object or array: Game over"),
        ("[" * 100_000, "not a JSON object or array", None),
    ],
)
def test_what_is_said_wrong_is_left_out(schema, written, kind, detail):
    assert clean_answer(written, schema) is None
    violation = schema.find_violation(written)
    assert violation is not None
    assert violation.kind == kind
    assert detail is None or violation.detail == detail


def test_the_sample_timeline_keeps_the_periods_that_a_game_has(shared, schema):
    samples = read_manifest(shared / "data/timeline/sft_data.jsonl").samples
    cleaned = clean_samples(samples, schema)
    # 353 of its 536 targets tell of a tenth overtime or a later one.
    assert len(cleaned.samples) == 183
    assert cleaned.reasons == {"timeline[*].ts breaks the rule pattern": 353}
    assert cleaned.repaired == {}
    assert Counter(drop.reason.partition(",")[0] for drop in cleaned.dropped) == {
        "the wanted answer breaks its JSON Schema": 353
    }
    originals = {sample.id: sample for sample in samples}
    assert all(originals[sample.id] == sample for sample in cleaned.samples)


def rows(*answers: str) -> list[Sample]:
    return [Sample(id=f"s{number}", root=Path(), question="?", answer=text) for number, text in enumerate(answers)]


def test_repairs_and_reasons_are_counted(schema):
    cleaned = clean_samples(rows(GOOD, answer(ts="q2 1:59", note=1), answer(note=2), "no", answer(ts="x")), schema)
    assert [sample.answer for sample in cleaned.samples] == [GOOD, answer(ts="Q2 01:59"), GOOD]
    assert cleaned.repaired == {"unknown key": 2, "spelling": 1}
    assert [drop.sample for drop in cleaned.dropped] == ["s3", "s4"]
    assert cleaned.reasons == {"not a JSON object or array": 1, "timeline[*].ts breaks the rule pattern": 1}


def test_without_cleaning_a_wrong_answer_ends_the_run(schema):
    assert clean_samples(rows(GOOD), schema, clean=False).samples == rows(GOOD)
    with pytest.raises(UserError, match=r"1 of 2 wanted answers break their JSON Schema; set dataset\.answer\.clean"):
        clean_samples(rows(GOOD, answer(note=1)), schema, clean=False)


def test_a_schema_that_fits_no_answer_is_refused(schema):
    with pytest.raises(UserError, match=r"2 of 2 wanted answers .* correct dataset\.answer\.json_schema") as refused:
        clean_samples(rows("no", "not either"), schema)
    assert str(refused.value).endswith("\n  - not a JSON object or array: 2")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, "does not exist"),
        ("{", "is not JSON"),
        ("[]", "holds list: it must be a JSON object"),
        ('{"properties": {"ts": {"type": "text"}}}', r"is no JSON Schema, at properties\.ts\.type"),
    ],
)
def test_a_schema_that_is_none_is_refused(tmp_path, written, message):
    path = tmp_path / "schema.json"
    if written is not None:
        path.write_text(written)
    with pytest.raises(UserError, match=rf"dataset\.answer\.json_schema {path} {message}"):
        load_answer_schema(path)


def test_a_schema_may_stand_in_the_recipe():
    assert load_answer_schema({"type": "array"}).find_violation("{}") is not None
