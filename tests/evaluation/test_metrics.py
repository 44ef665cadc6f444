import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.errors import UserError
from videoguard.evaluation.encoding import TextEncoder, load_text_encoder
from videoguard.evaluation.metrics.bert_similarity import BertSimilarity
from videoguard.evaluation.metrics.building import build_metric
from videoguard.evaluation.metrics.exercise_accuracy import ExerciseAccuracy
from videoguard.evaluation.metrics.json_validity import JsonSchema, JsonValidity
from videoguard.evaluation.metrics.meteor import Meteor
from videoguard.evaluation.metrics.rouge_l import RougeL
from videoguard.evaluation.metrics.row_metric import RowMetric
from videoguard.evaluation.sentence_model import DEFAULT_MODEL

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

Cases = list[dict[str, Any]]


@pytest.fixture(scope="session")
def cases(shared: Path) -> Cases:
    """Pairs with scores that `evaluate`'s public metric scripts gave."""
    lines = (shared / "reference" / "metric_cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return load_text_encoder(DEFAULT_MODEL)


def scores_of(metric: RowMetric, cases: Cases) -> list[float | None]:
    return metric.compute(
        predictions=[case["prediction"] for case in cases], references=[case["reference"] for case in cases]
    )["scores"]


def test_meteor_equals_the_public_script(cases: Cases, wordnet: "WordNetCorpusReader", tmp_path: Path) -> None:
    expected = [case["meteor"] for case in cases]
    assert scores_of(Meteor(wordnet, str(tmp_path)), cases) == pytest.approx(expected, abs=1e-4)


def test_rouge_l_equals_the_public_script(cases: Cases, tmp_path: Path) -> None:
    expected = [case["rougeL"] for case in cases]
    assert scores_of(RougeL(str(tmp_path)), cases) == pytest.approx(expected, abs=1e-4)


def test_bert_similarity_equals_the_public_script(cases: Cases, encoder: TextEncoder, tmp_path: Path) -> None:
    expected = [case["bert_similarity"] for case in cases]
    assert scores_of(BertSimilarity(encoder, str(tmp_path)), cases) == pytest.approx(expected, abs=1e-4)


def test_bert_similarity_does_not_depend_on_the_other_rows(cases: Cases, encoder: TextEncoder, tmp_path: Path) -> None:
    metric = BertSimilarity(encoder, str(tmp_path))
    chosen = cases[3]
    alone = scores_of(metric, [chosen])
    among = scores_of(metric, [*cases[:3], chosen, chosen])
    assert alone[0] == pytest.approx(among[3], abs=1e-5)
    assert among[3] == among[4]


def test_meteor_counts_a_synonym_as_a_match(wordnet: "WordNetCorpusReader", tmp_path: Path) -> None:
    # WordNet has car and auto in one synset. Three of three words match in one chunk: 1 - 0.5 * (1/3)^3.
    found = Meteor(wordnet, str(tmp_path)).compute(predictions=["the blue auto"], references=["the blue car"])
    assert found["scores"] == pytest.approx([1 - 0.5 / 27])


def test_rouge_l_by_hand(tmp_path: Path) -> None:
    # The longest common subsequence "squat go" has 2 of 4 and 2 of 3 words: F = 2 * (1/2 * 2/3) / (1/2 + 2/3) = 4/7.
    found = RougeL(str(tmp_path)).compute(predictions=["Squat: please go up"], references=["squat - GO lower"])
    assert found["scores"] == pytest.approx([4 / 7])


def test_an_empty_answer_is_scored_and_an_empty_wanted_answer_is_not(wordnet: "WordNetCorpusReader", tmp_path: Path) -> None:
    for metric in (Meteor(wordnet, str(tmp_path)), RougeL(str(tmp_path)), ExerciseAccuracy(str(tmp_path))):
        found = metric.compute(predictions=["", "  ", "squat - go"], references=["squat - go", "squat - go", " "])
        assert found["scores"] == [0.0, 0.0, None]
        assert found["reasons"] == [None, None, "the wanted answer is empty"]


def test_rouge_l_is_unscored_where_it_sees_no_word(tmp_path: Path) -> None:
    found = RougeL(str(tmp_path)).compute(predictions=["深蹲", "squat"], references=["深蹲 - 膝盖内扣", "squat"])
    assert found["scores"] == [None, 1.0]
    assert "a-z" in found["reasons"][0]


def test_exercise_accuracy(tmp_path: Path) -> None:
    rows = [
        ("Push Up - lower", "push-up - good", 1.0),
        ("push-press - lower", "push-ups - good", 0.0),
        ('{"exercise": "squat"}', "squat - good", 1.0),
        ("a long answer that does not name any exercise", "squat - good", 0.0),
        ("squat - good", "a long answer that does not name any exercise", None),
    ]
    found = ExerciseAccuracy(str(tmp_path)).compute(
        predictions=[answer for answer, _, _ in rows], references=[wanted for _, wanted, _ in rows]
    )
    assert found["scores"] == [score for _, _, score in rows]
    assert found["reasons"] == [None] * 4 + ["the wanted answer names no exercise"]


def test_json_validity_scores_only_where_json_was_wanted(tmp_path: Path) -> None:
    answers = ['{"a": 2}', "[1]", '{"a": ', "", '{"a": 1}']
    wanted = ['{"a": 1}', '{"a": 1}', "[3]", "[]", "squat - good"]
    found = JsonValidity(str(tmp_path)).compute(predictions=answers, references=wanted)
    assert found["scores"] == [1.0, 1.0, 0.0, 0.0, None]
    assert found["reasons"][-1] == "no JSON was wanted"


def test_the_schema_is_asked_of_answers_that_were_to_be_json(tmp_path: Path) -> None:
    schema = AnswerSchema({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})
    answers = ['{"a": 2}', '{"a": "2"}', '{"b": 2}', "[2]", '{"a": 2', '{"a": 2}']
    wanted = ['{"a": 1}'] * 5 + ["squat - good"]
    found = JsonSchema(str(tmp_path), schema).compute(predictions=answers, references=wanted)
    assert found["scores"] == [1.0, 0.0, 0.0, 0.0, 0.0, None]
    without = JsonSchema(str(tmp_path), None).compute(predictions=answers, references=wanted)
    assert without["scores"] == [None] * 6
    assert "dataset.answer is absent" in str(without["reasons"][0])


def test_an_unknown_metric_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metric 'blue' is not known.*bert_similarity.*json_validity"):
        build_metric("blue", sentence_model="", state=tmp_path, cache_dir=str(tmp_path))
