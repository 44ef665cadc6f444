"""A manifest file in; samples out, and every row that could not be read with its reason."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from videoguard.errors import UserError
from videoguard.manifests.conversations import Format, ManifestRow, detect_format, read_row, show
from videoguard.manifests.sample import RowProblem, Sample

_PROBLEMS_TOLD = 5
_LONGEST_NAME = 255  # bytes, on the usual file systems
_LONGEST_PATH = 1024  # leaves room for the media root
_BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True)
class ManifestReading:
    """What was read of a manifest, in its order, and what was not."""

    samples: list[Sample]
    problems: list[RowProblem]
    format: Format


def read_manifest(path: Path, media_root: Path | None = None) -> ManifestReading:
    """Read a JSON list in the conversations or the flat form.

    A row that cannot be read becomes problems, one for each field, and the others go on. Video files need not exist. A
    video's path must be relative and must not leave `media_root` by `..`; symbolic links of that folder are followed,
    since they belong to the folder and not to the manifest.

    Args:
        path: JSON file in UTF-8, with or without byte-order mark.
        media_root: folder that the video paths are relative to; the manifest's own when None.

    Raises:
        UserError: the file or the media root is missing, the file is not a JSON list, or no row of it can be read.
    """
    root = media_root if media_root is not None else path.parent
    rows = _load_rows(path)
    if not root.is_dir():
        raise UserError(
            f"data.media_root {root} is not a folder: it must be the folder that the video paths are relative to"
        )

    kept, problems = _read_rows(rows, root)
    if not kept:
        told = [f"  - {problem}" for problem in problems[:_PROBLEMS_TOLD]]
        more = [f"  - and {len(problems) - len(told)} more problems"] if len(problems) > len(told) else []
        raise UserError("\n".join([f"manifest {path}: none of its {len(rows)} rows can be read", *told, *more]))
    return ManifestReading(_samples(kept, root), problems, detect_format(rows))


def _load_rows(path: Path) -> list[object]:
    rows = _parse_json(path, _read_text(path))
    if not isinstance(rows, list):
        raise UserError(f"manifest {path} holds {show(rows)}: it must be a list of rows")
    if not rows:
        raise UserError(f"manifest {path} is an empty list: it must have at least one row")
    return rows


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"manifest {path} does not exist: data.manifest must name a JSON file") from None
    except OSError as error:
        raise UserError(f"manifest {path} cannot be read: {error.strerror}") from None
    if not content.strip():
        raise UserError(f"manifest {path} is empty: it must hold a JSON list of rows")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = _BYTE_ORDER_MARKS.get(content[:2], "Latin-1 or Windows-1252")
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"manifest {path} is not UTF-8 (line {line}, byte {content[error.start]:#04x}; it may be {encoding}): "
            "save it as UTF-8"
        ) from None


def _parse_json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"manifest {path} is nested too deeply: it must be a flat list of rows") from None
    except json.JSONDecodeError as error:
        end = text.rstrip()
        if error.pos >= len(end) or error.msg.startswith("Unterminated string"):
            line, column = end.count("\n") + 1, len(end) - end.rfind("\n")
            raise UserError(
                f"manifest {path} is cut off at line {line}, column {column}: the JSON list does not end"
            ) from None
        hint = "; JSON Lines are not read yet, make it one JSON list" if error.msg == "Extra data" else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"manifest {path} is not JSON at {place}: {error.msg}{hint}") from None


def _read_rows(rows: list[object], root: Path) -> tuple[list[ManifestRow], list[RowProblem]]:
    """The good rows and the problems of the others, both in order."""
    places: dict[tuple[str, str, str], int] = {}
    kept: list[ManifestRow] = []
    problems: list[RowProblem] = []
    for index, content in enumerate(rows):
        row, refused = read_row(index, content)
        problems += refused
        if row is None:
            continue
        said = (row.video, row.question, row.answer)
        if (rule := _broken_path_rule(row.video, root)) is not None:
            problems.append(RowProblem(index, "video", f"is {show(row.video)}: {rule}"))
        elif (earlier := places.setdefault(said, index)) != index:
            problems.append(RowProblem(index, "row", f"repeats row {earlier}: video, question and answer are the same"))
        else:
            kept.append(row)
    return kept, problems


def _broken_path_rule(video: str, root: Path) -> str | None:
    if "\0" in video:
        return "a path must not hold a null character"
    if any(len(part.encode("utf-8")) > _LONGEST_NAME for part in Path(video).parts) or len(video) > _LONGEST_PATH:
        return "it is longer than the path of a file can be"
    if Path(video).is_absolute():
        return "it must be relative to the media root"
    if ".." in Path(video).parts:
        # Both as written and as the file system reads it: what `link/..` means depends on where the link leads.
        lexical = Path(os.path.normpath(root.absolute() / video))
        followed = (root / video).resolve()
        if not lexical.is_relative_to(os.path.normpath(root.absolute())) or not followed.is_relative_to(root.resolve()):
            return "it must not leave the media root"
    return None


def _samples(rows: list[ManifestRow], root: Path) -> list[Sample]:
    times = Counter(row.video for row in rows)
    return [
        Sample(
            id=row.video if times[row.video] == 1 else f"{row.video}#{_digest(row)}",
            video=row.video,
            path=root / row.video,
            question=row.question,
            answer=row.answer,
            split=row.split,
        )
        for row in rows
    ]


def _digest(row: ManifestRow) -> str:
    """Eight hexadecimal digits of what a row asks and answers."""
    return hashlib.sha256(json.dumps([row.question, row.answer]).encode("ascii")).hexdigest()[:8]
