"""Whether an artifact's files are still those that were recorded.

Digests are computed once. After that a file counts as unchanged while its size, inode and times of change stay, which any
write alters; the states of verified files are noted beside the artifact.
"""

import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from videoguard.artifacts.records import ArtifactRecord, FileRecord
from videoguard.digests import digest_file

_CLOCK_TICK_NS = 50_000_000
"""File systems stamp changes by a clock that moves in ticks of up to 10 ms. A file that changed less than this before the
note was written may have changed once more in the same tick, so it is read again."""

State = list[int]
"""Size, modification time, change time (ns) and inode of a file."""


def find_damage(folder: Path, record: ArtifactRecord) -> str | None:
    """The first fault of a stored artifact, in words; None where it is whole. Reads no file that was verified before."""
    known = _read_note(folder, record)
    # Looked up before the files are read: a change that comes later differs from what is noted.
    states = {name: _state(folder / name) for name in record.files}
    changed = {name: file for name, file in record.files.items() if states[name] is None or states[name] != known.get(name)}
    fault = find_fault(folder, changed)
    if fault is None and changed:
        _write_note(folder, record, states)
    return fault


def find_fault(folder: Path, files: Mapping[str, FileRecord]) -> str | None:
    """The first file that is not as recorded, in words; None where all are. Reads every file."""
    for name, expected in files.items():
        file = folder / name
        try:
            size = file.stat().st_size
            if size != expected.size:
                return f"{name} has {size:,} bytes, {expected.size:,} were written"
            if digest_file(file) != expected.sha256:
                return f"{name} has other bytes than were written"
        except (FileNotFoundError, NotADirectoryError):
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def note_verified(folder: Path, record: ArtifactRecord) -> None:
    """Note that the files were just written as recorded."""
    _write_note(folder, record, {name: _state(folder / name) for name in record.files})


def note_path(folder: Path) -> Path:
    """Where the states of an artifact's verified files are noted."""
    return folder.with_name(f".{folder.name}.verified")


def _state(file: Path) -> State | None:
    try:
        known = file.stat()
    except OSError:
        # What is wrong with it is told when it is read.
        return None
    return [known.st_size, known.st_mtime_ns, known.st_ctime_ns, known.st_ino]


def _read_note(folder: Path, record: ArtifactRecord) -> dict[str, State]:
    """States of the files that need not be read again; none where there is no note, or it is damaged or of other content."""
    note = note_path(folder)
    try:
        noted = json.loads(note.read_bytes())
        written = note.stat().st_mtime_ns
    except (OSError, ValueError):
        return {}
    if not isinstance(noted, dict) or noted.get("digest") != record.digest or not isinstance(noted.get("files"), dict):
        return {}
    return {
        name: state
        for name, state in noted["files"].items()
        if isinstance(state, list) and len(state) == 4 and max(state[1:3]) < written - _CLOCK_TICK_NS
    }


def _write_note(folder: Path, record: ArtifactRecord, states: Mapping[str, State | None]) -> None:
    temporary = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    # A note saves time and nothing else: on a full disk the files are read again the next time.
    with suppress(OSError):
        try:
            temporary.write_text(json.dumps({"digest": record.digest, "files": states}), encoding="utf-8")
            temporary.replace(note_path(folder))
        finally:
            temporary.unlink(missing_ok=True)
