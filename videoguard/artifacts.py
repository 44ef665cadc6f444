"""The content-addressed store that the steps hand each other.

An artifact is a folder `<store>/<step>/<key>/`, named by the digest of all that it came from. It is written under a
temporary name and renamed into place once `artifact.json` is written, so a folder under its final name is complete.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

RECORD = "artifact.json"
_CHUNK = 1 << 20


class FileRecord(BaseModel):
    """Size in bytes and SHA-256 of one file of an artifact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str


class ArtifactRecord(BaseModel):
    """`artifact.json`: what an artifact is, what it came from and what it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    step: str
    key: str
    code: str
    """Fingerprint of the source that made it."""
    settings: dict[str, object]
    """Configuration that its content depends on."""
    inputs: dict[str, str]
    """Digests of its inputs, by name."""
    files: dict[str, FileRecord]
    """Every file of the folder but this one, by relative path."""
    digest: str
    """Digest of the files: equal content has equal digests."""
    facts: dict[str, object]
    """Counts and other small results that the next step or the report tells."""
    created: datetime
    seconds: float
    """Wall time of the making."""


class Artifact(BaseModel):
    """Reference to a stored artifact: small, JSON, and independent of where the store is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    key: str
    digest: str
    facts: dict[str, object] = {}


class Provenance(BaseModel):
    """All that the content of an artifact depends on; its digest is the artifact's key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    code: str
    settings: dict[str, object]
    inputs: dict[str, str]

    @property
    def key(self) -> str:
        """Name of the artifact: 32 hexadecimal digits."""
        return digest_json(self.model_dump(mode="json"))[:32]


class Draft:
    """A folder to fill, and the facts to record of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, object] = {}


class ArtifactStore:
    """Artifacts in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, artifact: Artifact) -> Path:
        """Folder of an artifact."""
        return self._folder(artifact.step, artifact.key)

    def find(self, provenance: Provenance) -> Artifact | None:
        """The whole, undamaged artifact of this provenance; None where there is none."""
        folder = self._folder(provenance.step, provenance.key)
        record = read_record(folder)
        if record is None or not _is_whole(folder, record):
            return None
        return Artifact(step=record.step, key=record.key, digest=record.digest, facts=record.facts)

    @contextmanager
    def draft(self, provenance: Provenance) -> Iterator[Draft]:
        """A folder to fill; it becomes the artifact where the block ends well, and is removed where it does not."""
        final = self._folder(provenance.step, provenance.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        started = datetime.now(UTC)
        draft = Draft(Path(tempfile.mkdtemp(prefix=f".{provenance.key}-", dir=final.parent)))
        try:
            yield draft
            _write_record(draft, provenance, started)
            _put_in_place(draft.folder, final)
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)

    def _folder(self, step: str, key: str) -> Path:
        return self.root / step / key


def read_record(folder: Path) -> ArtifactRecord | None:
    """The record of the artifact in `folder`; None where it is missing or unreadable."""
    try:
        return ArtifactRecord.model_validate_json((folder / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def digest_json(value: object) -> str:
    """SHA-256 of a JSON value, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_source(modules: Iterable[str]) -> str:
    """Fingerprint of source: the Python files of folders or modules named relative to the `videoguard` package.

    `digest_source(["frames", "config.py"])` does not depend on where the checkout is.
    """
    package = Path(__file__).parent
    files: set[Path] = set()
    for name in modules:
        place = package / name
        files.update(place.rglob("*.py") if place.is_dir() else [place])
    named = {file.relative_to(package).as_posix(): digest_file(file) for file in files}
    return digest_json(named)


def _is_whole(folder: Path, record: ArtifactRecord) -> bool:
    for name, expected in record.files.items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != expected.size or digest_file(file) != expected.sha256:
            return False
    return True


def _write_record(draft: Draft, provenance: Provenance, started: datetime) -> None:
    files = {
        path.relative_to(draft.folder).as_posix(): FileRecord(size=path.stat().st_size, sha256=digest_file(path))
        for path in sorted(draft.folder.rglob("*"))
        if path.is_file()
    }
    record = ArtifactRecord(
        **provenance.model_dump(),
        key=provenance.key,
        files=files,
        digest=_digest_files(files),
        facts=draft.facts,
        created=started,
        seconds=(datetime.now(UTC) - started).total_seconds(),
    )
    for name in files:
        _sync(draft.folder / name)
    path = draft.folder / RECORD
    path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _sync(path)


def _digest_files(files: Mapping[str, FileRecord]) -> str:
    return digest_json({name: record.sha256 for name, record in files.items()})


def _put_in_place(draft: Path, final: Path) -> None:
    """Rename a finished draft to its final name.

    Where another run was quicker, its artifact stays if it is whole; a damaged one is moved aside and removed.
    """
    draft.chmod(0o755)
    if final.exists():
        record = read_record(final)
        if record is not None and _is_whole(final, record):
            return
        damaged = Path(tempfile.mkdtemp(prefix=".damaged-", dir=final.parent))
        final.rename(damaged / final.name)
        shutil.rmtree(damaged, ignore_errors=True)
    draft.rename(final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
