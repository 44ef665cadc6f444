"""The best checkpoint by the task's metric, and a training that ends where it gets no better."""

import json
from typing import Any

import pytest

from tests.kills import KilledError, kill_at
from videoguard.config import InferenceSection
from videoguard.dataset.building import read_split
from videoguard.digests import digest_file
from videoguard.errors import UserError
from videoguard.models.base import find_base
from videoguard.models.checkpoints import checkpoint_at, step_of
from videoguard.models.loading import load_processor
from videoguard.models.preprocessing import Preprocessor
from videoguard.training.request import Scoring
from videoguard.training.selection import AnswerScore
from videoguard.training.train import train

ADAPTER = "adapter/adapter_model.safetensors"


@pytest.fixture
def scoring(tmp_path) -> Scoring:
    return Scoring(
        metric="rouge_l", samples=4, batch_size=3, max_new_tokens=8, sentence_model="none", state=tmp_path / "state"
    )


def points(folder, name: str) -> dict[int, float]:
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {point["step"]: point[name] for point in log if name in point}


def test_the_kept_adapter_is_the_one_with_the_best_score(training_request, scoring, trained, tmp_path):
    request = training_request(tmp_path, settings={"metric": "rouge_l"}, scoring=scoring)
    reply = train(request, lambda event: None)
    scores = points(tmp_path, "validation_rouge_l")
    assert list(scores) == [4, 8, 12]
    assert reply.best_step == max(scores, key=lambda step: scores[step])
    assert reply.best_score == scores[reply.best_step] > 0
    assert reply.best_validation_loss == points(tmp_path, "validation_loss")[reply.best_step]
    # Answering changes nothing of what is trained.
    assert points(tmp_path, "train_loss") == points(trained.folder, "train_loss")


def test_the_score_is_that_of_inference_and_evaluation(training_request, scoring, trained, small_set, tmp_path):
    """The last adapter answers the same rows through the steps of the flow."""
    from datasets import DatasetDict, load_from_disk

    from videoguard.evaluation.evaluate_rows import evaluate_rows
    from videoguard.inference.infer import ROWS, infer
    from videoguard.inference.request import InferenceRequest
    from videoguard.inference.rows import read_rows
    from videoguard.models.base import find_base
    from videoguard.models.loading import load_adapted, load_processor
    from videoguard.models.preprocessing import Preprocessor

    splits = load_from_disk(str(small_set.dataset))
    DatasetDict({**splits, "test": splits["validation"]}).save_to_disk(str(tmp_path / "set"))
    same = {"base", "base_name", "revision", "dtype", "frame_store", "frame_shards", "frames", "system_prompt", "question"}
    trained_as = training_request(tmp_path).model_dump(include=same)
    request = InferenceRequest(
        **trained_as,
        adapter=trained.adapter,
        dataset=tmp_path / "set",
        inference=InferenceSection(batch_size=3, max_new_tokens=8),
        row_store=tmp_path / "rows.db",
        output=tmp_path,
    )
    infer(request, lambda event: None)
    rows = read_rows(tmp_path / ROWS)
    wanted = evaluate_rows(rows, ["rouge_l"], sentence_model="none", state=tmp_path).summary["rouge_l"].mean

    base = find_base(request.base)
    preprocessor = Preprocessor(load_processor(base), base.family)
    all_rows = scoring.model_copy(update={"samples": len(rows)})
    score = AnswerScore(all_rows, list(read_split(small_set.dataset, "validation")), preprocessor, small_set.store)
    assert score(load_adapted(base, "float32", trained.adapter)) == pytest.approx(wanted)


def test_a_kill_changes_no_byte_where_a_metric_chooses(training_request, scoring, tmp_path):
    settings = {"metric": "rouge_l", "batch_size": 5, "accumulation": 2}
    whole, killed = (training_request(tmp_path / name, settings=settings, scoring=scoring) for name in ("whole", "killed"))
    first = train(whole, lambda event: None)
    with pytest.raises(KilledError):
        train(killed, kill_at(10))
    reply = train(killed, lambda event: None)
    assert reply.resumed_from == 8
    assert (reply.best_step, reply.best_score) == (first.best_step, first.best_score)
    for name in (ADAPTER, "log.jsonl", "curves.png"):
        assert digest_file(killed.output / name) == digest_file(whole.output / name)


def test_a_training_ends_where_it_gets_no_better(training_request, tmp_path):
    """A learning rate that destroys the model: the validation loss rises after the first evaluations."""
    settings = {
        "epochs": 4,
        "learning_rate": 3.0,
        "schedule": "constant",
        "max_grad_norm": 1e9,
        "evaluations": 6,
        "patience": 2,
        "keep_last": 1,
    }
    whole, killed = (training_request(tmp_path / name, settings=settings) for name in ("whole", "killed"))
    reply = train(whole, lambda event: None)
    assert reply.stopped_early
    assert reply.best_step is not None
    assert reply.steps == reply.best_step + 2 * 2 < 12
    kept = {step_of(path) for path in whole.checkpoints.glob("checkpoint-*")}
    assert kept == {reply.best_step, reply.steps}
    assert digest_file(whole.output / ADAPTER) == digest_file(
        checkpoint_at(whole.checkpoints, reply.best_step) / "adapter_model.safetensors"
    )
    # Killed after its end, or in the step before: it ends at the same step.
    events: list[dict[str, Any]] = []
    again = train(whole, events.append)
    assert (again.steps, again.resumed_from, again.best_step) == (reply.steps, reply.steps, reply.best_step)
    assert len(events) == 1
    with pytest.raises(KilledError):
        train(killed, kill_at(reply.steps - 1))
    assert train(killed, lambda event: None).steps == reply.steps
    assert digest_file(killed.output / "log.jsonl") == digest_file(whole.output / "log.jsonl")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "exercise_accuracy"}, "it scores no answer of the validation split"),
        ({"metric": "bert_similarity"}, "training.metric is bert_similarity: "),
    ],
)
def test_a_metric_that_cannot_score_is_refused_before_the_training(change, said, scoring, small_set):
    rows = [{**row, "answer": "!?"} for row in read_split(small_set.dataset, "validation")]
    with pytest.raises(UserError, match=said):
        AnswerScore(scoring.model_copy(update=change), rows, None, small_set.store)  # type: ignore[arg-type]


def test_without_a_validation_split_there_is_nothing_to_choose_by(scoring, small_set):
    with pytest.raises(UserError, match="there is no validation split to choose by"):
        AnswerScore(scoring, [], None, small_set.store)  # type: ignore[arg-type]


def test_json_is_scored_by_the_schema_of_the_answers(tiny_base, scoring):
    base = find_base(str(tiny_base))
    preprocessor = Preprocessor(load_processor(base), base.family)
    rows = [{"id": "a", "video": None, "answer": '{"form": "good"}', "question": "Which form?", "system": None}]
    plain = scoring.model_copy(update={"metric": "json_validity"})
    strict = plain.model_copy(update={"metric": "json_schema", "answer_schema": {"type": "object", "required": ["form"]}})
    assert AnswerScore(plain, rows, preprocessor, None).score(['{"reps": 3}']) == 1.0
    assert AnswerScore(strict, rows, preprocessor, None).score(['{"reps": 3}']) == 0.0
    assert AnswerScore(strict, rows, preprocessor, None).score(['{"form": "poor"}']) == 1.0
