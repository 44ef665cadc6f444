"""Whether an artifact's files are still those that were recorded.

Digests are computed once; after that a file counts as unchanged while its size and its times of change stay, which any
write alters. What was verified is noted beside the artifact.
"""

import os
import tempfile
from pathlib import Path

from videoguard.artifacts.records import RECORD, ArtifactRecord
from videoguard.digests import digest_file, digest_json


def find_damage(folder: Path, record: ArtifactRecord) -> str | None:
    """The first fault of an artifact, in words; None where it is whole."""
    stamp = _stamp(folder, record)
    note = _note(folder)
    if note.is_file() and note.read_text(encoding="ascii") == stamp:
        return None
    for name, expected in record.files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != expected.size:
            return f"{name} has {file.stat().st_size:,} bytes, {expected.size:,} were written"
        if digest_file(file) != expected.sha256:
            return f"{name} has other bytes than were written"
    _write_note(note, stamp)
    return None


def note_verified(folder: Path, record: ArtifactRecord) -> None:
    """Note that the files were just written as recorded."""
    _write_note(_note(folder), _stamp(folder, record))


def forget_verified(folder: Path) -> None:
    """Remove the note of an artifact."""
    _note(folder).unlink(missing_ok=True)


def _note(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.verified")


def _stamp(folder: Path, record: ArtifactRecord) -> str:
    stamps: dict[str, list[int] | None] = {}
    for name in (*record.files, RECORD):
        file = folder / name
        if file.is_file():
            known = file.stat()
            stamps[name] = [known.st_size, known.st_mtime_ns, known.st_ctime_ns, known.st_ino]
        else:
            stamps[name] = None
    return digest_json(stamps)


def _write_note(note: Path, stamp: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f"{note.name}-", dir=note.parent)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(stamp)
    Path(temporary).replace(note)
