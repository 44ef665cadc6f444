"""Texts under keys in a SQLite file, each with the time when it was made.

What was added is on disk, whole, whenever the process is killed, and several processes add to a file at once.
"""

import math
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_WAIT_SECONDS = 60.0
_ASKED_AT_ONCE = 500


@dataclass(frozen=True)
class StoredCount:
    """How many texts there are."""

    number: int
    size: int
    """Bytes of their keys and contents; the file is somewhat larger."""


class KeyedStore:
    """The texts of a file; it is made on first use.

    A file that is no database (any more) is put aside, and a new one begun.

    Args:
        path: of the file.
        table: its table.
        column: that of the texts.
    """

    def __init__(self, path: Path, table: str, column: str) -> None:
        self._path = path
        self._table, self._column = table, column
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._prepare()
        except sqlite3.DatabaseError as damage:
            if isinstance(damage, sqlite3.OperationalError):
                raise
            path.replace(path.with_name(f"{path.name}.damaged"))
            self._prepare()

    def find(self, keys: Iterable[str], since: datetime | None = None) -> dict[str, str]:
        """The texts that are stored under any of the keys; without those that were made before `since`."""
        wanted = list(dict.fromkeys(keys))
        after = 0.0 if since is None else since.timestamp()
        found: dict[str, str] = {}
        with closing(self._connect()) as database:
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                part = wanted[start : start + _ASKED_AT_ONCE]
                marks = ", ".join("?" * len(part))
                query = f"SELECT key, {self._column} FROM {self._table} WHERE made >= ? AND key IN ({marks})"  # noqa: S608
                found.update(database.execute(query, (after, *part)))
        return found

    def add(self, texts: Mapping[str, str]) -> None:
        """Store texts, each under its key; they are on disk on return."""
        now = datetime.now(UTC).timestamp()
        with closing(self._connect()) as database, database:
            query = f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?, ?)"  # noqa: S608
            database.executemany(query, [(key, now, text) for key, text in texts.items()])

    def count(self, before: datetime | None = None) -> StoredCount:
        """The texts that were made before a moment, or all."""
        with closing(self._connect()) as database:
            size = f"COALESCE(SUM(LENGTH(key) + LENGTH(CAST({self._column} AS BLOB))), 0)"
            query = f"SELECT COUNT(*), {size} FROM {self._table} WHERE made < ?"  # noqa: S608
            (counted,) = database.execute(query, (_moment(before),)).fetchall()
        return StoredCount(*counted)

    def trim(self, before: datetime) -> StoredCount:
        """Forget the texts that were made before a moment, and give their room back to the disk; how many these were."""
        going = self.count(before)
        if going.number:
            with closing(self._connect()) as database:
                with database:
                    database.execute(f"DELETE FROM {self._table} WHERE made < ?", (_moment(before),))  # noqa: S608
                database.execute("VACUUM")
                # Else what was written anew stands in the journal too.
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return going

    def _prepare(self) -> None:
        with closing(self._connect()) as database:
            # A journal beside the file, which is flushed before a commit counts.
            database.execute("PRAGMA journal_mode = WAL")
            columns = f"key TEXT PRIMARY KEY, made REAL NOT NULL, {self._column} TEXT NOT NULL"
            database.execute(f"CREATE TABLE IF NOT EXISTS {self._table} ({columns}) WITHOUT ROWID")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_WAIT_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def _moment(before: datetime | None) -> float:
    return math.inf if before is None else before.timestamp()
