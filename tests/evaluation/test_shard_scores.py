"""Shards of answers that are scored on other machines: the evaluation is that of one machine, and has less to do."""

from pathlib import Path

import pytest

from tests.evaluation.test_evaluate_rows import ENCODER, row
from videoguard.evaluation import evaluate_rows, wordnet
from videoguard.evaluation.__main__ import evaluate
from videoguard.evaluation.request import EvaluationRequest
from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.score_store import SCORE_STORE
from videoguard.evaluation.scores import read_evaluation
from videoguard.evaluation.shard_scores import SCORES, ShardRequest, read_scores, score_shard
from videoguard.evaluation.wordnet import WordNetSource

METRICS = ("bert_similarity", "meteor", "rouge_l", "action_top1", "exercise_accuracy", "bleu")
KEPT = METRICS[:4]


@pytest.fixture
def shards(tmp_path) -> tuple[Path, ...]:
    """Rows of two shards, each with a label of its own, an answer of both and one that failed."""
    made = [
        [row(0, "squat - keep the back straight", "squat - good", label="squat"), row(1, "plank", "plank", label="squat")],
        [row(2, "lunge - good", "plank - good", label="plank"), row(3, "plank", "plank"), row(4, None, "plank - good")],
    ]
    files = tuple(tmp_path / f"rows-{number}.jsonl" for number in range(len(made)))
    for file, rows in zip(files, made, strict=True):
        file.write_text("".join(each.model_dump_json() + "\n" for each in rows))
    return files


@pytest.fixture
def machines(state, wordnet_source: WordNetSource, tmp_path) -> list[Path]:
    """State folders of machines that have WordNet and have scored nothing: of the evaluation's, and of two workers."""
    folders = [tmp_path / name for name in ("here", "one", "two")]
    for folder in folders:
        folder.mkdir()
        if (state / "wordnet").is_dir():
            (folder / "wordnet").symlink_to(state / "wordnet")
    return folders


def scored(shards: tuple[Path, ...], state: Path, output: Path, scores: tuple[Path, ...] = ()) -> dict[str, object]:
    output.mkdir()
    request = EvaluationRequest(
        rows=shards, metrics=METRICS, sentence_model=ENCODER, seed=0, scores=scores, state=state, output=output
    )
    evaluate(request, lambda event: None)
    return read_evaluation(output).model_dump()


def score_apart(shards: tuple[Path, ...], states: list[Path]) -> tuple[Path, ...]:
    """The scores of each shard, by one of the workers each."""
    for number, state in enumerate(states):
        request = ShardRequest(rows=shards, shard=number, metrics=METRICS, sentence_model=ENCODER, state=state, output=state)
        told = score_shard(request, lambda event: None)
        assert told.scores == len(read_scores(state / SCORES)) > 0
    return tuple(state / SCORES for state in states)


def test_the_evaluation_is_the_same_and_scores_nothing_of_these_metrics_again(shards, machines, tmp_path, monkeypatch):
    here, *workers = machines
    alone = scored(shards, workers[0], tmp_path / "alone")
    (workers[0] / SCORE_STORE).unlink()
    scores = score_apart(shards, workers)
    computed = []
    compute = evaluate_rows._computed

    def watched(metric, texts):
        computed.append(type(metric).__name__)
        return compute(metric, texts)

    monkeypatch.setattr(evaluate_rows, "_computed", watched)
    assert scored(shards, here, tmp_path / "helped", scores) == alone
    assert len(computed) == len(METRICS) - len(KEPT)


def test_what_a_worker_lacks_is_scored_where_the_evaluation_is(shards, machines, tmp_path, monkeypatch):
    here, *workers = machines
    alone = scored(shards, here, tmp_path / "alone")
    (here / SCORE_STORE).unlink()

    def lacks(*given: object, **how: object) -> WordNetSource:
        raise MissingResourceError("WordNet is absent", "install it")

    with monkeypatch.context() as there:
        there.setattr(wordnet, "provide_wordnet", lacks)
        scores = score_apart(shards, workers)
    # Of three metrics, of the four rows that were answered.
    assert sum(len(read_scores(file)) for file in scores) == 3 * 4
    assert scored(shards, here, tmp_path / "helped", scores) == alone
