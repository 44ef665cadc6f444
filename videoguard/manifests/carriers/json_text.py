"""Rows as one JSON list, or as JSON Lines."""

import json
from collections.abc import Iterable
from pathlib import Path

from videoguard.errors import UserError
from videoguard.manifests.carriers.rows import UnreadableRow
from videoguard.manifests.fields import show

_DEEPLY = "is nested too deeply: it must be a flat list of rows"


def starts_json_lines(text: str) -> bool:
    """Whether the first line that is not blank is a whole JSON object, and another line follows."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.strip():
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def read_json_lines(path: Path, text: str) -> list[object]:
    """A row of each line that is not blank; a line that is not JSON is a row that cannot be read."""
    # By newlines alone: a JSON text may hold any other character that Python takes for the end of a line.
    lines = [line for line in text.split("\n") if line.strip()]
    rows: list[object] = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except RecursionError:
            rows.append(UnreadableRow("is nested too deeply: it must be one object on one line"))
        except ValueError as error:
            rows.append(UnreadableRow(f"is {show(line)}: it must be one JSON object on one line ({_line_reason(error)})"))
    if len(lines) == 1 and isinstance(rows[0], list):
        # A JSON list in a file that is named after JSON Lines.
        return rows[0]
    return rows


def read_json(path: Path, text: str) -> list[object]:
    """The rows of a JSON list. One object is one row, unless all that it maps are texts: then it maps videos to labels."""
    value = _parse(path, text)
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value:
        if all(isinstance(label, str) for label in value.values()) and not _has_fields(value):
            return [{"video": video, "label": label} for video, label in value.items()]
        return [value]
    raise UserError(f"manifest {path} holds {show(value)}: it must be a list of rows")


def write_json(rows: Iterable[dict[str, object]], path: Path) -> None:
    """Write rows as one list, a field a line."""
    path.write_text(json.dumps(list(rows), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_json_lines(rows: Iterable[dict[str, object]], path: Path) -> None:
    """Write a row a line."""
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _has_fields(value: dict[str, object]) -> bool:
    """Whether an object is a row: the names of its fields are words, those of videos have a suffix or a folder."""
    return all(name.isidentifier() for name in value)


def _parse(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"manifest {path} {_DEEPLY}") from None
    except json.JSONDecodeError as error:
        end = text.rstrip()
        if error.pos >= len(end) or error.msg.startswith("Unterminated string"):
            line, column = end.count("\n") + 1, len(end) - end.rfind("\n")
            raise UserError(
                f"manifest {path} is cut off at line {line}, column {column}: the JSON list does not end"
            ) from None
        raise UserError(f"manifest {path} is not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except ValueError as error:
        # A number of thousands of digits.
        raise UserError(f"manifest {path} cannot be read: {error}") from None


def _line_reason(error: ValueError) -> str:
    """Why a line is not JSON; a number of thousands of digits is no `JSONDecodeError`."""
    return f"column {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
