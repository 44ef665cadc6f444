"""What `video-guard up` leaves for other commands: that it is up, since when, and where.

The process of `up` holds a file's lock for as long as it lives. The operating system frees it with the process, however that
ended, so that a record of a killed one, or one whose process number another program has got, is never taken for a live one.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ConfigDict

STATE = Path(".video-guard")
"""The folder that `prefect.toml` names; everything of `up` lies below it."""
LOGS = STATE / "logs"
_LOCK = "up.lock"
_RECORD = "up.json"
_ATTEMPTS = 20


class Service(BaseModel):
    """A program that is up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pid: int
    log: Path
    address: str | None = None
    """What to open in a browser."""
    health: str | None = None
    """Address that answers while it is well."""


class Standing(BaseModel):
    """What is up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int
    """Of the process that holds all others."""
    since: datetime
    ready: bool = False
    """Whether everything has started."""
    prefect: str
    """Address of Prefect's pages; its API is below `/api`."""
    mlflow: str
    services: tuple[Service, ...] = ()

    @property
    def api(self) -> str:
        """Address of Prefect's API."""
        return f"{self.prefect}/api"


def find_standing(state: Path = STATE) -> Standing | None:
    """What is up in a state folder; None where nothing is."""
    lock, record = state / _LOCK, state / _RECORD
    if not lock.is_file() or _lock_is_free(lock):
        return None
    # Between taking the lock and writing the record lies an instant.
    for _ in range(_ATTEMPTS):
        if record.is_file():
            return Standing.model_validate_json(record.read_text(encoding="utf-8"))
        if _lock_is_free(lock):
            return None
        time.sleep(0.05)
    return None


def write_standing(standing: Standing, state: Path = STATE) -> None:
    """Tell other commands what is up; only by the holder of the lock."""
    record = state / _RECORD
    draft = record.with_suffix(".new")
    draft.write_text(standing.model_dump_json(indent=1), encoding="utf-8")
    draft.replace(record)


@contextmanager
def only_one(state: Path = STATE) -> Iterator[bool]:
    """Whether the block is the only one that is up in a state folder; it stays so until its end."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / _LOCK).open("a", encoding="utf-8") as file:
        if not _take(file):
            yield False
            return
        (state / _RECORD).unlink(missing_ok=True)
        try:
            yield True
        finally:
            (state / _RECORD).unlink(missing_ok=True)


def _take(file: TextIO) -> bool:
    # Whoever looks holds the lock for an instant.
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False


def _lock_is_free(lock: Path) -> bool:
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
