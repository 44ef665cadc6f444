"""Answers that any run has ever computed, by the digest of all that decides them.

A changed data set, a restart and a nightly run compute what is new and read the rest here. The store is a SQLite file in the
state folder: what was added is on disk, whole, whenever the process is killed, and several processes add to it at once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from videoguard.inference.guard.trace import GuardTrace
from videoguard.inference.rows import AnswerRow
from videoguard.keyed_store import KeyedStore, StoredCount

ROW_STORE = "rows.db"
"""Name of the file in the state folder."""


class StoredAnswer(BaseModel):
    """What a model said, whatever the sample is called and whatever answer is wanted. Fields as of `AnswerRow`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer: str
    generated: str | None = None
    mean_token_logprob: float | None = None
    predicted_label: str | None = None
    label_probability: float | None = None
    new_tokens: int | None = None
    latency_s: float | None = None
    guard: GuardTrace | None = None


class RowStore:
    """The stored answers; made on first use.

    A file that is no database (any more) is put aside, and the answers are computed again.
    """

    def __init__(self, path: Path) -> None:
        self._texts = KeyedStore(path, "answers", "answer")

    def find(self, keys: Iterable[str], since: datetime | None = None) -> dict[str, StoredAnswer]:
        """The answers that are stored under any of the keys.

        Args:
            keys: as `row_key` makes them.
            since: answers that are older are not taken.
        """
        read = {key: _read(text) for key, text in self._texts.find(keys, since).items()}
        return {key: answer for key, answer in read.items() if answer is not None}

    def add(self, rows: Mapping[str, AnswerRow]) -> None:
        """Store the answers of rows, each under its key; they are on disk on return. Failed rows are not kept."""
        told = {
            key: StoredAnswer.model_validate(row.model_dump(include=set(StoredAnswer.model_fields))).model_dump_json()
            for key, row in rows.items()
            if row.status == "ok"
        }
        self._texts.add(told)

    def count(self, before: datetime | None = None) -> StoredCount:
        """The answers that were made before a moment, or all."""
        return self._texts.count(before)

    def trim(self, before: datetime) -> StoredCount:
        """Forget the answers that were made before a moment, and give their room back to the disk; how many these were."""
        return self._texts.trim(before)


def _read(text: str) -> StoredAnswer | None:
    """An answer as it was stored; None where another version stored it with other fields."""
    try:
        return StoredAnswer.model_validate_json(text)
    except ValidationError:
        return None
