"""What may be removed from a store: by age, by size, of no finished run, and what killed processes left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from videoguard.artifacts.lineage import of_finished_runs
from videoguard.artifacts.records import ArtifactRecord


@dataclass(frozen=True)
class Leftover:
    """What a process left that was killed."""

    name: str
    """Path within the store."""
    kind: Literal["draft", "damaged", "work"]
    """`draft`: half an artifact, or one half removed; `damaged`: an artifact without a readable record; `work`: checkpoints
    or rows that the next attempt goes on from."""
    size: int
    """Bytes."""
    modified: datetime


class Collectable(Protocol):
    """A store, as far as its upkeep is concerned."""

    def records(self) -> list[ArtifactRecord]:
        """Records of all complete artifacts, oldest first."""

    def find_damage(self, record: ArtifactRecord) -> str | None:
        """The first fault of an artifact, in words; None where it is whole."""

    def remove(self, step: str, key: str) -> bool:
        """Remove an artifact; False where a process is at work on it."""

    def leftovers(self) -> list[Leftover]:
        """What killed processes left, and no process is at work on."""

    def remove_leftover(self, leftover: Leftover) -> bool:
        """Remove what a killed process left; False where a process is at work on it."""

    def busy(self) -> list[str]:
        """`step/key` of the artifacts that processes are at work on now."""


@dataclass(frozen=True)
class Rules:
    """What is to go. Without a rule only drafts and damaged artifacts go, which nobody can read."""

    older_than: timedelta | None = None
    """Artifacts, and work to go on from, that are older than this."""
    keep_bytes: int | None = None
    """The oldest artifacts, until the rest has no more bytes than this."""
    unreachable: bool = False
    """Artifacts that no report or publication of a run came from."""
    unfinished: bool = False
    """Work to go on from, of any age."""


@dataclass(frozen=True)
class Removal:
    """An artifact that a rule would remove."""

    record: ArtifactRecord
    reason: str


def choose_artifacts(records: Sequence[ArtifactRecord], rules: Rules, now: datetime) -> list[Removal]:
    """The artifacts that the rules remove, oldest first, each with the first rule that it falls under."""
    reasons: dict[str, str] = {}
    if rules.older_than is not None:
        reasons |= {record.name: "age" for record in records if now - record.created > rules.older_than}
    if rules.unreachable:
        reached = of_finished_runs(records)
        reasons |= {record.name: "no finished run" for record in records if record.name not in reached | reasons.keys()}
    oldest_first = sorted(records, key=lambda record: record.created)
    if rules.keep_bytes is not None:
        kept = [record for record in oldest_first if record.name not in reasons]
        reasons |= dict.fromkeys(_until_the_rest_fits(kept, rules.keep_bytes), "size")
    return [Removal(record, reasons[record.name]) for record in oldest_first if record.name in reasons]


def choose_leftovers(leftovers: Iterable[Leftover], rules: Rules, now: datetime) -> list[Leftover]:
    """The leftovers that the rules remove."""

    def goes(leftover: Leftover) -> bool:
        old = rules.older_than is not None and now - leftover.modified > rules.older_than
        return leftover.kind != "work" or rules.unfinished or old

    return [leftover for leftover in leftovers if goes(leftover)]


def _until_the_rest_fits(oldest_first: Sequence[ArtifactRecord], most: int) -> list[str]:
    left = sum(record.size for record in oldest_first)
    going = []
    for record in oldest_first:
        if left <= most:
            break
        # Small results of an old run make no room.
        if record.size:
            going.append(record.name)
            left -= record.size
    return going
