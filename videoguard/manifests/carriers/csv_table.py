"""Rows as a table of text: comma, semicolon or tab between the cells, the names of the fields in the first line."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from videoguard.errors import UserError
from videoguard.manifests.carriers.rows import UnreadableRow
from videoguard.manifests.fields import show

_SUFFIXES = {".csv", ".tsv"}
_DELIMITERS = (",", ";", "\t")
_LONGEST_CELL = 2**31 - 1


def is_csv(path: Path, text: str) -> bool:
    """Whether a text is a table: it is named so, and does not begin as JSON does."""
    return path.suffix.lower() in _SUFFIXES and not text.lstrip().startswith(("[", "{"))


def read_csv(path: Path, text: str) -> list[object]:
    """A row of each line; an empty cell is a field that is missing.

    Raises:
        UserError: it has no header, or a quoted cell does not end.
    """
    # The limit is the module's; its default is shorter than answers may be.
    csv.field_size_limit(_LONGEST_CELL)
    header_line = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header_line.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header, *cells = [line for line in lines if line]
    except csv.Error as error:
        raise UserError(f'manifest {path} is not CSV at line {lines.line_num}: {error}; quote cells with "…"') from None
    names = [name.strip() for name in header]
    if len(set(names)) < len(names) or not all(names):
        raise UserError(f"manifest {path} has the header {show(header_line)}: it must name each field once")
    return [_row(names, line) for line in cells]


def write_csv(rows: Iterable[dict[str, object]], path: Path) -> None:
    """Write rows as a table with commas; lists and objects as JSON."""
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL)
        table.writerow(names)
        table.writerows([_cell(row.get(name)) for name in names] for row in listed)


def _row(names: list[str], cells: list[str]) -> object:
    if len(cells) > len(names):
        return UnreadableRow(f"has {len(cells)} cells: it must have at most {len(names)}, as the header has")
    return {name: cell for name, cell in zip(names, cells, strict=False) if cell != ""}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
