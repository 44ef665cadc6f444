"""Scores that any evaluation has ever computed, by the digest of all that decides them.

A metric of which the catalogue tells what decides a score beside the two texts has its scores kept: the next evaluation
computes those of new texts alone. The store is a SQLite file in the state folder.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from videoguard.digests import digest_json, digest_source
from videoguard.evaluation.fingerprint import EVALUATION_SOURCE
from videoguard.evaluation.metrics.row_metric import Named
from videoguard.keyed_store import KeyedStore, StoredCount

SCORE_STORE = "scores.db"
"""Name of the file in the state folder."""


class StoredScore(BaseModel):
    """What a metric says to one answer. Fields as of `RowResults`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: float | None
    reason: str | None = None
    classes: list[Named] | None = None
    """None of a metric that tells no classes apart."""
    note: str | None = None


class ScoreStore:
    """The stored scores; made on first use. A file that is no database (any more) is put aside."""

    def __init__(self, path: Path) -> None:
        self._texts = KeyedStore(path, "scores", "score")

    def find(self, keys: Sequence[str]) -> dict[str, StoredScore]:
        """The scores that are stored under any of the keys, as `score_keys` makes them."""
        read = {key: _read(text) for key, text in self._texts.find(keys).items()}
        return {key: score for key, score in read.items() if score is not None}

    def add(self, scores: Mapping[str, StoredScore]) -> None:
        """Store scores, each under its key."""
        self._texts.add({key: score.model_dump_json(exclude_defaults=True) for key, score in scores.items()})

    def count(self, before: datetime | None = None) -> StoredCount:
        """The scores that were made before a moment, or all."""
        return self._texts.count(before)

    def trim(self, before: datetime) -> StoredCount:
        """Forget the scores that were made before a moment; how many these were."""
        return self._texts.trim(before)


def score_keys(
    metric: str, decided_by: Mapping[str, object], predictions: Sequence[str], references: Sequence[str]
) -> list[str]:
    """What the scores of answers against wanted answers are stored under, one a row.

    Args:
        metric: its name.
        decided_by: what decides a score beside the texts and the code.
        predictions: answers.
        references: wanted answers, or labels.
    """
    alike = digest_json([digest_source(EVALUATION_SOURCE), metric, dict(decided_by)])
    return [digest_json([alike, answer, wanted]) for answer, wanted in zip(predictions, references, strict=True)]


def _read(text: str) -> StoredScore | None:
    """A score as it was stored; None where another version stored it with other fields."""
    try:
        return StoredScore.model_validate_json(text)
    except ValidationError:
        return None
