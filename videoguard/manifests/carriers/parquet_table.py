"""Rows as a Parquet file, and as Arrow tables in general."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from videoguard.errors import UserError

_TIMES = (date, datetime, time, timedelta)
# What pyarrow raises for files that are cut off, damaged, or hold what Python has no value for.
ARROW_ERRORS = (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, KeyError, RecursionError, MemoryError)


def read_parquet(path: Path, content: bytes) -> list[object]:
    """The rows of a Parquet file.

    Raises:
        UserError: it is cut off or damaged.
    """
    try:
        return arrow_rows(pq.read_table(pa.BufferReader(content), use_threads=False))
    except ARROW_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"manifest {path} is damaged Parquet: {reason}; write it again") from None


def arrow_rows(table: pa.Table) -> list[object]:
    """The rows of a table, without fields that are null."""
    return [_plain(row) for row in table.to_pylist()]


def arrow_table(rows: Iterable[dict[str, object]]) -> pa.Table:
    """Rows as a table; a column whose values are of several types is written as text, in JSON."""
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row))
    return pa.table({name: _column([row.get(name) for row in listed]) for name in names})


def write_parquet(rows: Iterable[dict[str, object]], path: Path) -> None:
    """Write rows as a Parquet file."""
    pq.write_table(arrow_table(rows), path)


def _column(values: Sequence[object]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
        return pa.array(texts, pa.string())


def _plain(value: object) -> object:
    """Values as JSON has them: a struct of Parquet has every field in every row, one of JSON only those that it fills."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, _TIMES) else value
