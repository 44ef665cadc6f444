"""`video-guard artifacts`: what is stored, what made it, and what may go."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from videoguard.artifacts.garbage import Collectable, Leftover, Removal, Rules, choose_artifacts, choose_leftovers
from videoguard.artifacts.lineage import children, descendants
from videoguard.artifacts.records import ArtifactRecord
from videoguard.disk import size_in_words
from videoguard.errors import UserError
from videoguard.evaluation.score_store import SCORE_STORE, ScoreStore
from videoguard.inference.row_store import ROW_STORE, RowStore
from videoguard.keyed_store import StoredCount

_SHORT_KEY = 12
_MOST_NAMED = 10
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}
_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

StateOption = Annotated[Path, typer.Option("--state", help="State folder of the runs.")]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Look at this shared store (s3://…) instead of the state folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
STATE = Path(".video-guard")

app = typer.Typer(no_args_is_help=True, help="What is stored, what made it, and what may go.", rich_markup_mode=None)


@app.command()
def ls(
    step: Annotated[str | None, typer.Option(help="Only artifacts of this step, such as frames.")] = None,
    state: StateOption = STATE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the artifacts, oldest first, and how many were made from each.

    Example: video-guard artifacts ls --step training
    """
    with _opened(state, store) as opened:
        records = opened.records()
        leftovers = opened.leftovers()
    by_parent = children(records)
    shown = [record for record in records if step in (None, record.step)]
    if as_json:
        listed = [{**_brief(record), "used_by": len(by_parent[record.name])} for record in shown]
        _print_json({"artifacts": listed, "leftovers": _plain(leftovers)})
        return
    console = Console()
    table = Table("step", "key", "created", box=None, pad_edge=False)
    for heading in ("size", "files", "seconds", "used by"):
        table.add_column(heading, justify="right")
    for record in shown:
        counts = (size_in_words(record.size), f"{len(record.files):,}", f"{record.seconds:,.1f}")
        table.add_row(record.step, record.key[:_SHORT_KEY], _when(record), *counts, str(len(by_parent[record.name]) or ""))
    if shown:
        console.print(table)
    console.print(f"{len(shown):,} artifacts, {size_in_words(sum(record.size for record in shown))}", highlight=False)
    if leftovers:
        size = size_in_words(sum(leftover.size for leftover in leftovers))
        console.print(f"{len(leftovers):,} leftovers of killed processes, {size}: see artifacts gc", highlight=False)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="Key of an artifact, or its first digits.")],
    state: StateOption = STATE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what an artifact is, what made it, whether it is whole, and what came from it.

    In a shared store the files' sizes are compared, on this machine their bytes.

    Exit status: 0 it is whole, 1 it is damaged, 2 there is no such artifact.

    Example: video-guard artifacts show 3f9a
    """
    with _opened(state, store) as opened:
        records = opened.records()
        record = _only(records, key)
        damage = opened.find_damage(record)
    used_by = [child.name for child in descendants(record.name, children(records))]
    if as_json:
        _print_json({**record.model_dump(mode="json"), "damage": damage, "used_by": used_by})
    else:
        _print_record(Console(), record, damage, used_by)
    if damage is not None:
        raise typer.Exit(1)


@app.command()
def gc(
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Remove artifacts and answers made longer ago than this: 12h, 30d, 8w.")
    ] = None,
    keep_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Remove the oldest until the rest fits: 500MB, 20GB.")
    ] = None,
    unreachable: Annotated[bool, typer.Option("--unreachable", help="Remove what no finished run came from.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Remove checkpoints and rows that a killed run would go on from.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it nothing is removed.")] = False,
    state: StateOption = STATE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove artifacts by age, by size or because no finished run came from them; always half-made and damaged ones.

    Answers and scores that are kept by themselves (rows.db and scores.db of the state folder) go by age alone.

    What is removed is made again when a run needs it. Without --yes this only lists what would go. While a run is at work,
    artifacts stay, since it may be reading them.

    Example: video-guard artifacts gc --older-than 30d --keep-size 20GB --yes
    """
    rules = Rules(
        older_than=_age(older_than) if older_than is not None else None,
        keep_bytes=_size(keep_size) if keep_size is not None else None,
        unreachable=unreachable,
        unfinished=unfinished,
    )
    now = datetime.now(UTC)
    with _opened(state, store) as opened:
        busy = opened.busy()
        # A run reads what it made before, without a lock.
        removals = [] if busy else choose_artifacts(opened.records(), rules, now)
        leftovers = choose_leftovers(opened.leftovers(), rules, now)
        if yes:
            removals = [removal for removal in removals if opened.remove(removal.record.step, removal.record.key)]
            leftovers = [leftover for leftover in leftovers if opened.remove_leftover(leftover)]
    before = None if busy or rules.older_than is None else now - rules.older_than
    answers = _trim(state / ROW_STORE, RowStore, before, yes=yes) if store is None else None
    scores = _trim(state / SCORE_STORE, ScoreStore, before, yes=yes) if store is None else None
    if as_json:
        listed = [{**_brief(removal.record), "reason": removal.reason} for removal in removals]
        told = {name: each and asdict(each) for name, each in (("answers", answers), ("scores", scores))}
        _print_json({"removed": yes, "artifacts": listed, "leftovers": _plain(leftovers), **told, "busy": busy})
    else:
        _print_removals(Console(), removals, leftovers, busy, removed=yes)
        for file, what, trimmed in ((ROW_STORE, "answers", answers), (SCORE_STORE, "scores", scores)):
            if trimmed is not None:
                _print_trimmed(Console(), file, what, trimmed, removed=yes)


@dataclass(frozen=True)
class _Trimmed:
    """What the store of answers or that of scores holds, and what of it goes."""

    stored: int
    stored_bytes: int
    going: int
    going_bytes: int


def _trim(path: Path, opened: type[RowStore] | type[ScoreStore], before: datetime | None, *, yes: bool) -> _Trimmed | None:
    """Forget what was made before a moment where that is wanted; None where there is no such store."""
    if not path.is_file():
        return None
    store = opened(path)
    stored = store.count()
    going = StoredCount(0, 0) if before is None else store.trim(before) if yes else store.count(before)
    return _Trimmed(stored.number, stored.size, going.number, going.size)


@contextmanager
def _opened(state: Path, store: str | None) -> Iterator[Collectable]:
    """The store that is meant; a shared one that cannot be reached is the user's to mend."""
    # They need filelock and fsspec, which the help does without.
    from videoguard.artifacts.shared import SharedStore
    from videoguard.artifacts.store import ArtifactStore

    if store is None:
        yield ArtifactStore(state / "artifacts")
        return
    try:
        yield SharedStore(store)
    except (ConnectionError, PermissionError, FileNotFoundError) as fault:
        raise UserError(f"--store is {store}: {fault}; check the address, the network and the credentials") from None


def _only(records: Sequence[ArtifactRecord], key: str) -> ArtifactRecord:
    found = [record for record in records if record.key.startswith(key) or record.name.startswith(key)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"no artifact's key begins with {key}: `video-guard artifacts ls` lists those that there are")
    named = ", ".join(record.name for record in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    raise UserError(f"{len(found):,} artifacts' keys begin with {key}: give more digits of one of {named}{more}")


def _age(written: str) -> timedelta:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", written)
    if parts is None:
        raise UserError(f"--older-than is {written}: it must be a number of hours, days or weeks, such as 12h, 30d or 8w")
    return timedelta(hours=float(parts[1]) * _HOURS[parts[2]])


def _size(written: str) -> int:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT]?)B?", written)
    if parts is None:
        raise UserError(f"--keep-size is {written}: it must be a number of bytes with a unit, such as 500MB or 20GB")
    return round(float(parts[1]) * _BYTES[parts[2]])


def _print_record(console: Console, record: ArtifactRecord, damage: str | None, used_by: Sequence[str]) -> None:
    state = "whole" if damage is None else f"damaged: {damage}"
    table = Table(box=None, show_header=False, pad_edge=False)
    for heading, value in (
        ("artifact", record.name),
        ("state", state),
        ("digest", record.digest),
        ("created", f"{_when(record)}, in {record.seconds:,.1f} s"),
        ("code", record.code),
        ("settings", json.dumps(record.settings, indent=1, ensure_ascii=False)),
        ("inputs", _lines(f"{name} {digest}" for name, digest in record.inputs.items())),
        ("made from", _lines(record.parents)),
        ("facts", json.dumps(record.facts, indent=1, ensure_ascii=False)),
        ("packages", _lines(f"{name} {version}" for name, version in record.packages.items())),
        ("files", _lines(f"{name}, {size_in_words(file.size)}" for name, file in record.files.items())),
        ("used by", _lines(used_by)),
    ):
        table.add_row(heading, escape(value))
    console.print(table, highlight=False)


def _print_removals(
    console: Console, removals: Sequence[Removal], leftovers: Sequence[Leftover], busy: Sequence[str], *, removed: bool
) -> None:
    table = Table("what", "why", "created", box=None, pad_edge=False)
    table.add_column("size", justify="right")
    for removal in removals:
        record = removal.record
        table.add_row(f"{record.step}/{record.key[:_SHORT_KEY]}", removal.reason, _when(record), size_in_words(record.size))
    for leftover in leftovers:
        table.add_row(escape(leftover.name), leftover.kind, _local(leftover.modified), size_in_words(leftover.size))
    if table.row_count:
        console.print(table)
    sizes = [removal.record.size for removal in removals] + [leftover.size for leftover in leftovers]
    total = f"{len(sizes):,} of {size_in_words(sum(sizes))}"
    console.print(
        f"removed {total}" if removed else f"would remove {total}; nothing is removed without --yes", highlight=False
    )
    if busy:
        console.print(f"artifacts stay while a run is at work on {', '.join(busy)}", highlight=False)


def _print_trimmed(console: Console, file: str, what: str, trimmed: _Trimmed, *, removed: bool) -> None:
    size = size_in_words(trimmed.going_bytes)
    gone = f"removed {trimmed.going:,} of {size}" if removed else f"would remove {trimmed.going:,} of {size}"
    console.print(f"{file}: {trimmed.stored:,} {what} of {size_in_words(trimmed.stored_bytes)}, {gone}", highlight=False)


def _brief(record: ArtifactRecord) -> dict[str, object]:
    known = record.model_dump(mode="json", include={"step", "key", "digest", "created", "seconds"})
    return {**known, "bytes": record.size, "files": len(record.files)}


def _plain(leftovers: Sequence[Leftover]) -> list[dict[str, object]]:
    return [{**asdict(leftover), "modified": leftover.modified.isoformat()} for leftover in leftovers]


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))


def _lines(entries: Iterable[str]) -> str:
    return "\n".join(entries)


def _when(record: ArtifactRecord) -> str:
    return _local(record.created)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
