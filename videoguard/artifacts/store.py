"""The store: artifacts in a local folder, and behind it a shared one where the configuration names one."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from videoguard.artifacts.records import (
    RECORD,
    Artifact,
    ArtifactRecord,
    Provenance,
    digest_files,
    read_record,
    record_files,
)
from videoguard.artifacts.shared import SharedStore
from videoguard.artifacts.verification import find_damage, forget_verified, note_verified
from videoguard.revision import package_versions

_log = logging.getLogger(__name__)


class Draft:
    """A folder to fill, and the facts to record of it."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder = folder
        self.work = work
        """Folder for what a killed attempt leaves to the next one; removed when the artifact is made."""
        self.facts: dict[str, object] = {}


class ArtifactStore:
    """Artifacts in a local folder, which caches those of a shared store."""

    def __init__(self, root: Path, shared: str | None = None) -> None:
        self.root = root
        self._shared = SharedStore(shared) if shared else None

    def path(self, artifact: Artifact) -> Path:
        """Folder of an artifact, fetched from the shared store where it is not on this machine."""
        folder = self._folder(artifact.step, artifact.key)
        if not folder.exists() and self._shared is not None:
            self._shared.fetch(artifact.step, artifact.key, folder)
        return folder

    def find(self, provenance: Provenance) -> Artifact | None:
        """The whole, undamaged artifact of this provenance; None where there is none. Damage is logged by name."""
        folder = self._folder(provenance.step, provenance.key)
        found = self._whole(folder)
        if self._shared is not None:
            if found is None and self._replace_by_shared(provenance, folder):
                found = self._whole(folder)
            elif found is not None and not self._shared.has(found):
                # The connection was lost when it was made, or the store was emptied.
                self._shared.put(found, folder)
        return found.artifact if found is not None else None

    @contextmanager
    def lock(self, provenance: Provenance) -> Iterator[None]:
        """Only one process of this machine at a time makes an artifact; the lock of a killed one is free at once."""
        locks = self.root / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{provenance.step}-{provenance.key}.lock"):
            yield

    @contextmanager
    def draft(self, provenance: Provenance) -> Iterator[Draft]:
        """A folder to fill; it becomes the artifact where the block ends well, and is removed where it does not.

        Call it with the lock of the provenance held.
        """
        final = self._folder(provenance.step, provenance.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        for left in final.parent.glob(f".{provenance.key}-*"):
            # Of a killed attempt: whoever holds the lock is the only one that writes here.
            shutil.rmtree(left, ignore_errors=True)
        started = datetime.now(UTC)
        work = self.root / ".work" / provenance.step / provenance.key
        draft = Draft(Path(tempfile.mkdtemp(prefix=f".{provenance.key}-", dir=final.parent)), work)
        try:
            yield draft
            record = _write_record(draft, provenance, started)
            _put_in_place(draft.folder, final)
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)
        note_verified(final, record)
        shutil.rmtree(work, ignore_errors=True)
        if self._shared is not None:
            self._shared.put(record, final)

    def records(self) -> list[ArtifactRecord]:
        """Records of the artifacts on this machine, oldest first."""
        found = (read_record(path.parent) for path in self.root.glob(f"[!.]*/[!.]*/{RECORD}"))
        return sorted((record for record in found if record is not None), key=lambda record: record.created)

    def remove(self, record: ArtifactRecord) -> None:
        """Remove an artifact from this machine, and from the shared store."""
        folder = self._folder(record.step, record.key)
        if self._shared is not None:
            self._shared.remove(record.step, record.key)
        forget_verified(folder)
        # Under its final name a folder is complete: it leaves that name before its files go.
        doomed = Path(tempfile.mkdtemp(prefix=".removed-", dir=folder.parent))
        if folder.exists():
            folder.rename(doomed / folder.name)
        shutil.rmtree(doomed)

    def leftovers(self) -> list[Path]:
        """Folders that killed processes left: drafts and half-done work."""
        hidden = [path for path in self.root.glob("*/.*") if path.is_dir()]
        return sorted(path for path in hidden if path.parent.name != ".work")

    def _whole(self, folder: Path) -> ArtifactRecord | None:
        record = read_record(folder)
        if record is None:
            if folder.exists():
                _log.warning("artifact %s/%s is damaged: %s is unreadable", folder.parent.name, folder.name, RECORD)
            return None
        damage = find_damage(folder, record)
        if damage is not None:
            _log.warning("artifact %s/%s is damaged: %s", record.step, record.key, damage)
            return None
        return record

    def _replace_by_shared(self, provenance: Provenance, folder: Path) -> bool:
        assert self._shared is not None
        if folder.exists():
            _set_aside(folder)
        return self._shared.fetch(provenance.step, provenance.key, folder)

    def _folder(self, step: str, key: str) -> Path:
        return self.root / step / key


def _write_record(draft: Draft, provenance: Provenance, started: datetime) -> ArtifactRecord:
    files = record_files(draft.folder)
    record = ArtifactRecord(
        **provenance.model_dump(),
        key=provenance.key,
        files=files,
        digest=digest_files(files),
        facts=draft.facts,
        packages=package_versions(),
        created=started,
        seconds=(datetime.now(UTC) - started).total_seconds(),
    )
    for name in files:
        _sync(draft.folder / name)
    path = draft.folder / RECORD
    path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _sync(path)
    _sync(draft.folder)
    return record


def _put_in_place(draft: Path, final: Path) -> None:
    draft.chmod(0o755)
    if final.exists():
        _set_aside(final)
    draft.rename(final)
    _sync(final.parent)


def _set_aside(folder: Path) -> None:
    """Free the name of a damaged or replaced artifact, then remove it."""
    aside = Path(tempfile.mkdtemp(prefix=".replaced-", dir=folder.parent))
    folder.rename(aside / folder.name)
    shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
