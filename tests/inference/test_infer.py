"""Answers for a whole split: a row for every sample, in order, from the model that was asked for."""

import json

import pytest

from videoguard.config import FramesSection, InferenceSection
from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.dataset.building import read_split
from videoguard.errors import UserError
from videoguard.inference.generation import Answer
from videoguard.inference.infer import ROWS, infer
from videoguard.inference.rows import read_rows
from videoguard.inference.structured.answers import JsonAnswers


def test_every_test_sample_is_answered_in_the_order_of_the_split(answered, small_set):
    reply, rows, events = answered
    split = list(read_split(small_set.dataset, "test"))
    assert [row.id for row in rows] == [row["id"] for row in split]
    for row, asked in zip(rows, split, strict=True):
        assert (row.video, row.group, row.label, row.question, row.reference) == (
            asked["video"],
            asked["group"],
            asked["label"],
            asked["question"],
            asked["answer"],
        )
        assert (row.status, row.error) == ("ok", None)
        assert row.new_tokens is not None
        assert 1 <= row.new_tokens <= 12
        assert row.mean_token_logprob is not None
        assert row.mean_token_logprob < 0
        assert row.latency_s is not None
        assert row.latency_s > 0
    assert (reply.rows, reply.failed) == (len(split), 0)
    assert reply.new_tokens == sum(row.new_tokens for row in rows)
    steps = [event["step"] for event in events]
    assert steps == sorted(steps)
    assert (steps[-1], {event["of"] for event in events}) == (len(split), {len(split)})


def test_the_size_of_a_batch_does_not_change_the_answers(answered, inference_request, tmp_path):
    infer(inference_request(tmp_path, inference=InferenceSection(batch_size=1, max_new_tokens=12)), lambda event: None)
    alone = read_rows(tmp_path / ROWS)
    assert [row.answer for row in alone] == [row.answer for row in answered[1]]


def test_the_base_answers_without_an_adapter(answered, inference_request, tmp_path):
    reply = infer(inference_request(tmp_path, adapter=None), lambda event: None)
    base_rows = read_rows(tmp_path / ROWS)
    assert reply.rows == len(base_rows) == len(answered[1])
    assert [row.mean_token_logprob for row in base_rows] != [row.mean_token_logprob for row in answered[1]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": FramesSection(count=8, max_side=64)}, "frames: trained with 4, asked for 8"),
        ({"frames": FramesSection(count=4, max_side=640)}, "max_side: trained with 64, asked for 640"),
        ({"frames": FramesSection(count=4, max_side=64, codec="png")}, "codec: trained with 'jpeg', asked for 'png'"),
        ({"system_prompt": None}, "system_prompt: trained with 'You are a fitness coach.', asked for None"),
        ({"question": "Which exercise?"}, "question: trained with None, asked for 'Which exercise?'"),
    ],
)
def test_an_adapter_is_not_used_with_another_preprocessing(changes, said, inference_request, trained, tmp_path):
    with pytest.raises(UserError) as refused:
        infer(inference_request(tmp_path, **changes), lambda event: None)
    assert str(refused.value) == f"adapter {trained.adapter} was trained with another preprocessing: {said}"
    assert not (tmp_path / ROWS).exists()


def test_an_adapter_is_not_used_on_another_base(inference_request, tiny_base, tmp_path):
    from videoguard.models.base import find_base

    other = tmp_path / "base"
    other.mkdir()
    for file in tiny_base.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    with (other / "config.json").open("a") as config:
        config.write("\n")
    with pytest.raises(UserError) as refused:
        infer(inference_request(tmp_path, base=str(other)), lambda event: None)
    assert str(refused.value).endswith(
        f"base_digest: trained with '{find_base(str(tiny_base)).digest}', asked for '{find_base(str(other)).digest}'"
    )


def test_a_folder_without_a_record_is_no_adapter(inference_request, tmp_path):
    with pytest.raises(UserError, match=r"has no preprocessing.json"):
        infer(inference_request(tmp_path, adapter=tmp_path), lambda event: None)


def test_answers_that_are_json_are_held_to_their_schema_and_labels_are_scored(inference_request, small_set, tmp_path):
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["exercise"],
        "properties": {"exercise": {"enum": ["plank", "squat"]}},
    }
    how = InferenceSection(batch_size=12, max_new_tokens=40, constrained=True, label_scores=True, workers=0)
    reply = infer(inference_request(tmp_path, inference=how, answer_schema=schema), lambda event: None)
    rows = read_rows(tmp_path / ROWS)
    assert {json.loads(row.answer or "")["exercise"] for row in rows} <= {"plank", "squat"}
    assert (reply.repaired, {row.generated for row in rows}) == (0, {None})
    known = {row["label"] for row in read_split(small_set.dataset, "train")}
    assert {row.predicted_label for row in rows} <= known
    assert all(1 / len(known) <= (row.label_probability or 0) <= 1 for row in rows)


def test_broken_json_is_mended_and_kept_beside_the_answer(inference_request, tmp_path):
    schema = {"type": "object"}
    how = InferenceSection(batch_size=12, max_new_tokens=12, workers=0)
    reply = infer(inference_request(tmp_path, inference=how, answer_schema=schema), lambda event: None)
    # The adapter writes sentences: nothing can be made of them, and nothing is made up.
    assert reply.repaired == 0
    answer = Answer('{"exercise": "squat', 5, -1.0)
    counted = JsonAnswers(AnswerSchema(schema)).count(answer)
    assert (counted.answer, counted.generated) == ('{"exercise": "squat"}', '{"exercise": "squat')
    assert JsonAnswers(AnswerSchema(schema), repaired=False).count(answer).answer == '{"exercise": "squat'
