"""Scores of one shard of a model's answers, made on another machine than the evaluation that uses them.

What takes time, and is decided by the two texts alone, is scored; the evaluation finds these scores as if its own store had
kept them, and computes all else itself.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.evaluation.evaluate_rows import known_labels, score_texts
from videoguard.evaluation.metrics.catalogue import Ingredients
from videoguard.evaluation.score_store import SCORE_STORE, ScoreStore, StoredScore
from videoguard.inference.rows import read_rows
from videoguard.subprocesses import Emit

SCORES = "scores.jsonl"
"""Name of the file in the output folder."""


class ShardRequest(BaseModel):
    """Scores wanted of one shard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: tuple[Path, ...]
    """`rows.jsonl` of every shard: the known labels may be those of all rows."""
    shard: int
    """Which of them is scored."""
    metrics: tuple[str, ...]
    sentence_model: str
    labels: tuple[str, ...] = ()
    """The known labels; none stands for those of the rows."""
    state: Path
    output: Path
    """Folder that gets `scores.jsonl`."""


class ShardReply(BaseModel):
    """What was scored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scores: int


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    score: StoredScore


def score_shard(request: ShardRequest, emit: Emit) -> ShardReply:
    """Score the rows of the shard; what a metric lacks here is left to the evaluation."""
    shards = [list(read_rows(file)) for file in request.rows]
    labels = request.labels or known_labels([row for shard in shards for row in shard])
    store = ScoreStore(request.state / SCORE_STORE)
    with tempfile.TemporaryDirectory(prefix="video-guard-metrics-") as cache_dir:
        given = Ingredients(cache_dir, request.state, request.sentence_model, None, labels)
        found = score_texts(shards[request.shard], request.metrics, given, store)
    _write(found, request.output / SCORES)
    return ShardReply(scores=len(found))


def read_scores(file: Path) -> dict[str, StoredScore]:
    """The scores of a shard, by the keys of the store."""
    return {line.key: line.score for line in _lines(file)}


def _write(scores: Mapping[str, StoredScore], file: Path) -> None:
    lines = [_Line(key=key, score=scores[key]).model_dump_json(exclude_defaults=True) for key in sorted(scores)]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _lines(file: Path) -> Iterator[_Line]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield _Line.model_validate_json(line)


SERVED = (ShardRequest, score_shard)
