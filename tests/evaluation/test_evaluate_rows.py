import json
import math
from pathlib import Path

import numpy as np
import pytest

from videoguard.config import EvaluationSection
from videoguard.errors import UserError
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.evaluation.scores import Evaluation
from videoguard.evaluation.wordnet import WordNetSource
from videoguard.inference.rows import AnswerRow

METRICS = EvaluationSection().metrics
ENCODER = EvaluationSection().sentence_model


def row(number: int, answer: str | None, reference: str, *, group: str | None = None, label: str | None = None) -> AnswerRow:
    return AnswerRow(
        id=f"row {number}",
        video=f"{number}.mp4",
        group=group or f"{number}.mp4",
        label=label,
        question="Which exercise is it?",
        reference=reference,
        status="failed" if answer is None else "ok",
        answer=answer,
        error="out of memory" if answer is None else None,
    )


@pytest.fixture
def rows() -> list[AnswerRow]:
    return [
        row(0, "squat - go lower", "squat - go lower", label="squat"),
        row(1, "", "squat - go lower", label="squat"),
        row(2, None, "squat - go lower", label="squat"),
        row(3, "lunge - good", "", label=None),
        row(4, '{"exercise": "plank"}', '{"exercise": "plank", "feedback": "good"}', label="plank"),
    ]


def test_every_metric_over_every_kind_of_row(rows: list[AnswerRow], state: Path, wordnet_source: WordNetSource) -> None:
    evaluation = evaluate_rows(rows, METRICS, sentence_model=ENCODER, state=state)
    assert [scores.id for scores in evaluation.rows] == [answered.id for answered in rows]

    right, empty, failed, unwanted, as_json = evaluation.rows
    assert right.scores["rouge_l"] == right.scores["exercise_accuracy"] == 1.0
    assert right.scores["bert_similarity"] == pytest.approx(1.0)
    # One chunk of four matched words (the hyphen is one): 1 - 0.5 * (1/4)^3.
    assert right.scores["meteor"] == pytest.approx(1 - 0.5 / 64)
    assert right.reasons == {"json_validity": "no JSON was wanted"}
    assert right.identified == "squat"

    assert empty.scores["meteor"] == empty.scores["rouge_l"] == empty.scores["exercise_accuracy"] == 0.0
    assert empty.identified is None

    assert set(failed.scores.values()) == {None}
    assert failed.reasons == dict.fromkeys(METRICS, "inference failed: out of memory")

    assert set(unwanted.scores.values()) == {None}
    assert unwanted.reasons["meteor"] == "the wanted answer is empty"
    assert unwanted.identified == "lunge"

    assert as_json.scores["json_validity"] == as_json.scores["exercise_accuracy"] == 1.0

    accuracy = evaluation.summary["exercise_accuracy"]
    assert (accuracy.n, accuracy.unscored) == (3, 2)
    assert accuracy.mean == pytest.approx(2 / 3)
    assert list(evaluation.by_label) == ["squat", "plank"]
    squat = evaluation.by_label["squat"]["exercise_accuracy"]
    assert (squat.n, squat.unscored, squat.mean) == (2, 1, 0.5)
    assert evaluation.by_label["plank"]["json_validity"].mean == 1.0


def test_without_wordnet_meteor_is_unscored_with_the_mend_and_the_rest_is_scored(
    rows: list[AnswerRow], no_wordnet: Path
) -> None:
    evaluation = evaluate_rows(rows, ["meteor", "rouge_l"], sentence_model=ENCODER, state=no_wordnet)
    assert evaluation.summary["meteor"].n == 0
    assert evaluation.summary["meteor"].mean is None
    assert "wordnet-base" in evaluation.rows[0].reasons["meteor"]
    assert evaluation.rows[2].reasons["meteor"] == "inference failed: out of memory"
    assert evaluation.rows[0].scores["rouge_l"] == 1.0


def test_without_a_sentence_model_bert_similarity_is_unscored_with_the_reason(rows: list[AnswerRow], tmp_path: Path) -> None:
    evaluation = evaluate_rows(rows, ["bert_similarity"], sentence_model=str(tmp_path), state=tmp_path)
    assert evaluation.summary["bert_similarity"].unscored == len(rows)
    assert "modules.json" in evaluation.rows[0].reasons["bert_similarity"]


def test_no_rows_and_only_failed_rows_have_no_figures(tmp_path: Path) -> None:
    nothing = evaluate_rows([], ["rouge_l"], sentence_model=ENCODER, state=tmp_path)
    assert nothing.rows == []
    assert nothing.summary["rouge_l"].n == 0
    failed = evaluate_rows([row(0, None, "squat")], ["rouge_l"], sentence_model=ENCODER, state=tmp_path)
    assert failed.summary["rouge_l"].unscored == 1


def test_half_a_surrogate_pair_in_an_answer_is_scored_like_another_character(tmp_path: Path) -> None:
    evaluation = evaluate_rows([row(0, "squat \ud800", "squat")], ["rouge_l"], sentence_model=ENCODER, state=tmp_path)
    assert evaluation.rows[0].scores["rouge_l"] == 1.0
    assert evaluation.model_dump_json()


def test_a_metric_named_twice_is_computed_once_and_an_unknown_one_is_refused(rows: list[AnswerRow], tmp_path: Path) -> None:
    twice = evaluate_rows(rows, ["rouge_l", "rouge_l"], sentence_model=ENCODER, state=tmp_path)
    assert list(twice.summary) == ["rouge_l"]
    with pytest.raises(UserError, match="'blue'"):
        evaluate_rows(rows, ["blue"], sentence_model=ENCODER, state=tmp_path)


def test_the_same_rows_and_seed_give_the_same_file_without_nan(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = ["squat", "lunge", "plank"]
    rows = [
        row(number, f"{random.choice(names)} - good", f"{random.choice(names)} - good", group=str(number // 4), label="all")
        for number in range(80)
    ]
    first, again = (
        evaluate_rows(rows, ["exercise_accuracy", "json_validity"], sentence_model=ENCODER, state=tmp_path, seed=5)
        for _ in range(2)
    )
    assert first.model_dump_json() == again.model_dump_json()
    assert Evaluation.model_validate_json(first.model_dump_json()) == first
    json.loads(first.model_dump_json(), parse_constant=lambda constant: pytest.fail(f"{constant} in the file"))
    accuracy = first.summary["exercise_accuracy"]
    assert accuracy.ci_low is not None
    assert accuracy.ci_high is not None
    assert accuracy.mean is not None
    assert accuracy.ci_low < accuracy.mean < accuracy.ci_high
    assert math.isclose(accuracy.mean, sum(scores.scores["exercise_accuracy"] or 0 for scores in first.rows) / 80)
    assert first.by_label["all"] == first.summary


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    names = ("squat", "lunge", "plank")
    rows = [row(number, f"{names[number % 3]} - go {number % 7}", "squat - go lower") for number in range(200)]
    rows[3] = row(3, None, "squat - go lower")
    one, two = (
        evaluate_rows(rows, ["bert_similarity", "rouge_l"], sentence_model=ENCODER, state=tmp_path, processes=processes)
        for processes in (1, 2)
    )
    assert list(two.summary) == ["bert_similarity", "rouge_l"]
    assert two.summary["bert_similarity"].n == 199
    for first, second in zip(one.rows, two.rows, strict=True):
        assert second.scores == pytest.approx(first.scores, abs=1e-6)
        assert second.reasons == first.reasons
