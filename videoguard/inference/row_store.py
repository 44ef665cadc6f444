"""Answers that any run has ever computed, by the digest of all that decides them.

A changed data set, a restart and a nightly run compute what is new and read the rest here. The store is a SQLite file in the
state folder: what was added is on disk, whole, whenever the process is killed, and several processes add to it at once.
"""

import math
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from videoguard.inference.guard.trace import GuardTrace
from videoguard.inference.rows import AnswerRow

ROW_STORE = "rows.db"
"""Name of the file in the state folder."""

_SCHEMA = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, made REAL NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID"
_WAIT_SECONDS = 60.0
_ASKED_AT_ONCE = 500


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


@dataclass(frozen=True)
class StoredCount:
    """How many answers there are."""

    answers: int
    size: int
    """Bytes of their keys and contents; the file is somewhat larger."""


class RowStore:
    """The stored answers; made on first use.

    A file that is no database (any more) is put aside, and the answers are computed again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._prepare()
        except sqlite3.DatabaseError as damage:
            if isinstance(damage, sqlite3.OperationalError):
                raise
            path.replace(path.with_name(f"{path.name}.damaged"))
            self._prepare()

    def find(self, keys: Iterable[str], since: datetime | None = None) -> dict[str, StoredAnswer]:
        """The answers that are stored under any of the keys.

        Args:
            keys: as `row_key` makes them.
            since: answers that are older are not taken.
        """
        wanted = list(dict.fromkeys(keys))
        after = 0.0 if since is None else since.timestamp()
        found = {}
        with closing(self._connect()) as database:
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                part = wanted[start : start + _ASKED_AT_ONCE]
                marks = ", ".join("?" * len(part))
                query = f"SELECT key, answer FROM answers WHERE made >= ? AND key IN ({marks})"  # noqa: S608
                for key, text in database.execute(query, (after, *part)):
                    answer = _read(text)
                    if answer is not None:
                        found[key] = answer
        return found

    def add(self, rows: Mapping[str, AnswerRow]) -> None:
        """Store the answers of rows, each under its key; they are on disk on return. Failed rows are not kept."""
        now = datetime.now(UTC).timestamp()
        told = [
            (key, now, StoredAnswer.model_validate(row.model_dump(include=set(StoredAnswer.model_fields))).model_dump_json())
            for key, row in rows.items()
            if row.status == "ok"
        ]
        with closing(self._connect()) as database, database:
            database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", told)

    def count(self, before: datetime | None = None) -> StoredCount:
        """The answers that were made before a moment, or all."""
        with closing(self._connect()) as database:
            query = (
                "SELECT COUNT(*), COALESCE(SUM(LENGTH(key) + LENGTH(CAST(answer AS BLOB))), 0) FROM answers WHERE made < ?"
            )
            (counted,) = database.execute(query, (_moment(before),)).fetchall()
        return StoredCount(*counted)

    def trim(self, before: datetime) -> StoredCount:
        """Forget the answers that were made before a moment, and give their room back to the disk; how many these were."""
        going = self.count(before)
        if going.answers:
            with closing(self._connect()) as database:
                with database:
                    database.execute("DELETE FROM answers WHERE made < ?", (_moment(before),))
                database.execute("VACUUM")
                # Else what was written anew stands in the journal too.
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return going

    def _prepare(self) -> None:
        with closing(self._connect()) as database:
            # A journal beside the file, which is flushed before a commit counts.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_WAIT_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def _moment(before: datetime | None) -> float:
    return math.inf if before is None else before.timestamp()


def _read(text: str) -> StoredAnswer | None:
    """An answer as it was stored; None where another version stored it with other fields."""
    try:
        return StoredAnswer.model_validate_json(text)
    except ValidationError:
        return None
