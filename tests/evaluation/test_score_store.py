"""Scores that are kept: the same figures with less work, and none that another code, model or list of labels gave."""

import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.evaluation.test_evaluate_rows import ENCODER, row
from videoguard.evaluation import encoding
from videoguard.evaluation.bert_encoder import BertEncoder
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.evaluation.metrics.catalogue import known_metrics
from videoguard.evaluation.score_store import SCORE_STORE, ScoreStore, StoredScore, score_keys
from videoguard.evaluation.scores import Evaluation
from videoguard.evaluation.sentence_model import locate_sentence_model
from videoguard.evaluation.wordnet import WordNetSource
from videoguard.inference.rows import AnswerRow

EXERCISES = ("squat", "push-up", "plank", "lunge", "side bend")
WORDS = ("keep", "hips", "level", "with", "shoulders", "lower", "chest", "slowly", "until", "elbows", "are", "bent", "again")


@pytest.fixture(scope="module")
def rows() -> list[AnswerRow]:
    """Answers in many lengths: right, wrong, empty and failed ones; one wanted answer is empty."""
    draw = random.Random(0)

    def text() -> str:
        return f"{draw.choice(EXERCISES)} - {' '.join(draw.sample(WORDS, draw.randrange(1, len(WORDS))))}"

    made = [row(number, text(), text(), label=EXERCISES[number % len(EXERCISES)]) for number in range(60)]
    return [*made, row(60, "", text(), label="squat"), row(61, None, text()), row(62, text(), "", label="plank")]


@pytest.fixture
def evaluate(state: Path, wordnet_source: WordNetSource) -> Callable[..., Evaluation]:
    def evaluated(rows: Sequence[AnswerRow], store: ScoreStore | None, **changes: object) -> Evaluation:
        options = {"sentence_model": ENCODER, "state": state, "labels": EXERCISES, "store": store, **changes}
        return evaluate_rows(rows, list(known_metrics()), **options)  # type: ignore[arg-type]

    return evaluated


@pytest.fixture
def encoded(monkeypatch) -> list[str]:
    """The texts that are encoded, as they are."""
    texts: list[str] = []
    encode = BertEncoder.encode

    def watched(self: BertEncoder, given: Sequence[str]) -> object:
        texts.extend(given)
        return encode(self, given)

    monkeypatch.setattr(BertEncoder, "encode", watched)
    encoding._load.cache_clear()
    return texts


def test_the_figures_are_those_without_a_store_bit_by_bit(rows, evaluate, tmp_path):
    plain = evaluate(rows, None).model_dump()
    store = ScoreStore(tmp_path / SCORE_STORE)
    evaluate(rows[40:50], store)
    evaluate(rows[:45], store)
    assert evaluate(rows, store).model_dump() == plain
    assert evaluate(rows, store).model_dump() == plain
    assert evaluate(rows[::-1], ScoreStore(tmp_path / SCORE_STORE)).model_dump()["rows"] == plain["rows"][::-1]


def test_new_texts_alone_are_encoded_and_without_any_no_encoder_is_loaded(rows, evaluate, encoded, tmp_path, monkeypatch):
    store = ScoreStore(tmp_path / SCORE_STORE)
    evaluate(rows[:50], store)
    encoded.clear()
    evaluate(rows[:51], store)
    assert set(encoded) <= {rows[50].answer, rows[50].reference, *EXERCISES}
    assert rows[50].answer in encoded
    encoding._load.cache_clear()
    monkeypatch.setattr(encoding, "_load", lambda located: pytest.fail("the encoder was loaded"))
    evaluate(rows[:51], store)


def test_other_labels_and_another_encoder_score_again(rows, evaluate, encoded, tmp_path):
    store = ScoreStore(tmp_path / SCORE_STORE)
    evaluate(rows[:20], store)
    stored = store.count().number
    evaluate(rows[:20], store, labels=("squat", "plank"))
    by_labels = store.count().number - stored
    # Of one metric alone, each distinct pair of texts once.
    assert by_labels == len({(each.answer, each.label) for each in rows[:20]})

    other = tmp_path / "encoder"
    folder = locate_sentence_model(ENCODER).folder
    shutil.copytree(folder, other, copy_function=os.symlink)
    before = store.count().number
    # The same files in another place are the same encoder.
    evaluate(rows[:20], store, sentence_model=str(other))
    assert store.count().number == before
    (other / "config.json").unlink()
    (other / "config.json").write_text((folder / "config.json").read_text() + "\n")
    evaluate(rows[:20], store, sentence_model=str(other))
    assert store.count().number > before


def test_a_metric_that_lacks_what_it_needs_scores_nothing_though_scores_are_kept(rows, tmp_path, state, no_wordnet):
    store = ScoreStore(tmp_path / SCORE_STORE)
    evaluate_rows(rows[:3], ["meteor"], sentence_model=ENCODER, state=state, store=store)
    found = evaluate_rows(rows[:3], ["meteor"], sentence_model=ENCODER, state=no_wordnet, store=store)
    assert [each.scores["meteor"] for each in found.rows] == [None] * 3


def test_what_was_stored_comes_back_and_damage_does_not(tmp_path):
    store = ScoreStore(tmp_path / SCORE_STORE)
    scores = {
        "a": StoredScore(score=0.1 + 0.2),
        "b": StoredScore(score=None, reason="no", classes=[("squat", None), ("x", "y")], note="so"),
        "c": StoredScore(score=1.0, classes=[]),
    }
    store.add(scores)
    assert ScoreStore(tmp_path / SCORE_STORE).find(["a", "b", "c", "d"]) == scores
    (tmp_path / SCORE_STORE).write_text("no database")
    assert ScoreStore(tmp_path / SCORE_STORE).find(["a"]) == {}


def test_a_key_is_of_metric_settings_answer_and_wanted_answer():
    keys = {
        *score_keys("meteor", {"nltk": "3"}, ["a", "b"], ["b", "a"]),
        *score_keys("meteor", {"nltk": "4"}, ["a"], ["b"]),
        *score_keys("rouge_l", {"nltk": "3"}, ["a"], ["b"]),
    }
    assert len(keys) == 4


def test_the_vector_of_a_text_does_not_depend_on_the_texts_beside_it(rows):
    encoder = BertEncoder(locate_sentence_model(ENCODER).folder)
    texts = [each.answer or "" for each in rows] + ["go " * 300]
    together = encoder.encode(texts)
    assert (encoder.encode(texts[::-1])[::-1] == together).all()
    for at in range(0, len(texts), 9):
        assert (encoder.encode([texts[at]])[0] == together[at]).all()
