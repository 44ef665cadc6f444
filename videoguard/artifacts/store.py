"""The store: artifacts in a local folder, and behind it a shared one where the configuration names one.

Names that begin with a point are not artifacts: `.locks/`, `.work/` with what killed attempts left to go on from, and beside
the artifacts of a step `.<key>-…`, which is being written or removed, and `.<key>.verified` (see `verification`).
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from videoguard.artifacts.flushing import flush
from videoguard.artifacts.garbage import Leftover
from videoguard.artifacts.leftovers import WORK, find_leftovers, remove_leftover, remove_tree
from videoguard.artifacts.locks import artifact_lock, held_locks, lock_if_free
from videoguard.artifacts.records import (
    RECORD,
    Artifact,
    ArtifactRecord,
    Provenance,
    digest_files,
    read_record,
    record_files,
    write_record,
)
from videoguard.artifacts.shared import SharedStore
from videoguard.artifacts.verification import find_damage, note_path, note_verified
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
        """Folder of an artifact, as `folder` gives it."""
        return self.folder(artifact.step, artifact.key)

    def folder(self, step: str, key: str) -> Path:
        """Folder of the artifact of a step and a key, fetched from the shared store where it is not on this machine.

        Raises:
            FileNotFoundError: it is in neither.
        """
        folder = self._folder(step, key)
        if not folder.exists() and self._fetch(step, key) is None:
            places = f"{self.root} and {self._shared.url}" if self._shared is not None else str(self.root)
            raise FileNotFoundError(f"artifact {step}/{key} is gone from {places}: run again to make it again")
        return folder

    def find(self, provenance: Provenance) -> Artifact | None:
        """The whole, undamaged artifact of this provenance; None where there is none. Damage is logged by name."""
        step, key = provenance.step, provenance.key
        found = self._examine(step, key)
        if isinstance(found, str):
            _log.warning("artifact %s/%s is damaged: %s", step, key, found)
        if not isinstance(found, ArtifactRecord):
            found = self._fetch(step, key)
        elif self._shared is not None and not self._shared.has(step, key):
            # The connection was lost when it was made, or the store was emptied.
            self._shared.put(found, self._folder(step, key))
        return found.artifact if found is not None else None

    @contextmanager
    def lock(self, provenance: Provenance) -> Iterator[None]:
        """Only one process of this machine at a time makes an artifact; the lock of a killed one is free at once."""
        with artifact_lock(self.root, provenance.step, provenance.key):
            yield

    @contextmanager
    def draft(self, provenance: Provenance) -> Iterator[Draft]:
        """A folder to fill; it becomes the artifact where the block ends well, and is removed where it does not.

        Holds the lock. Where the shared store cannot be reached afterwards, this raises: the artifact is on this machine
        then, and `find` sends it.
        """
        step, key = provenance.step, provenance.key
        started = datetime.now(UTC)
        work = self.root / WORK / step / key
        with self.lock(provenance):
            with self._temporary_folder(step, key) as folder:
                draft = Draft(folder, work)
                yield draft
                record = _describe(draft, provenance, started)
                write_record(folder, record)
                self._put_in_place(folder, record)
            self._discard(step, key, work)
            if self._shared is not None:
                self._shared.put(record, self._folder(step, key))

    def records(self, step: str = "[!.]*") -> list[ArtifactRecord]:
        """Records of the artifacts on this machine, of all steps or of one, oldest first."""
        found = (read_record(path.parent) for path in self.root.glob(f"{step}/[!.]*/{RECORD}"))
        return sorted((record for record in found if record is not None), key=lambda record: record.created)

    def records_elsewhere(self, step: str) -> list[ArtifactRecord]:
        """Records of a step's artifacts that only the shared store has, oldest first."""
        if self._shared is None:
            return []
        here = {path.parent.name for path in self.root.glob(f"{step}/[!.]*/{RECORD}")}
        return self._shared.records_of(step, here)

    def find_damage(self, record: ArtifactRecord) -> str | None:
        """The first fault of an artifact on this machine, in words; None where it is whole."""
        return find_damage(self._folder(record.step, record.key), record)

    def remove(self, step: str, key: str) -> bool:
        """Remove an artifact from this machine; False where a process is at work on it.

        Whoever reads it at the moment loses it: readers hold no lock.
        """
        with lock_if_free(self.root, step, key) as free:
            if free:
                note_path(self._folder(step, key)).unlink(missing_ok=True)
                self._discard(step, key, self._folder(step, key))
            return free

    def leftovers(self) -> list[Leftover]:
        """What killed processes left on this machine."""
        return find_leftovers(self.root)

    def remove_leftover(self, leftover: Leftover) -> bool:
        """Remove what a killed process left; False where a process is at work on it."""
        return remove_leftover(self.root, leftover)

    def busy(self) -> list[str]:
        """`step/key` of the artifacts that processes of this machine are at work on now."""
        return held_locks(self.root)

    def _examine(self, step: str, key: str) -> ArtifactRecord | str | None:
        """The record of a whole artifact, the damage of another in words, or None where there is none."""
        folder = self._folder(step, key)
        record = read_record(folder)
        if record is None:
            return f"{RECORD} is missing or not as it was written" if folder.exists() else None
        if (record.step, record.key) != (step, key):
            return f"{RECORD} is that of {record.name}"
        return find_damage(folder, record) or record

    def _fetch(self, step: str, key: str) -> ArtifactRecord | None:
        """Bring an artifact from the shared store, in place of a damaged one."""
        if self._shared is None or not self._shared.has(step, key):
            return None
        with artifact_lock(self.root, step, key):
            # Another process may have made or fetched it while this one waited.
            found = self._examine(step, key)
            if isinstance(found, ArtifactRecord):
                return found
            with self._temporary_folder(step, key) as folder:
                record = self._shared.fetch(step, key, folder)
                if record is not None:
                    write_record(folder, record)
                    self._put_in_place(folder, record)
                return record

    def _put_in_place(self, folder: Path, record: ArtifactRecord) -> None:
        """Give a filled folder its final name, once all of it is on the disk."""
        for path in (*folder.rglob("*"), folder):
            flush(path)
        final = self._folder(record.step, record.key)
        self._discard(record.step, record.key, final)
        folder.rename(final)
        flush(final.parent)
        note_verified(final, record)

    @contextmanager
    def _temporary_folder(self, step: str, key: str) -> Iterator[Path]:
        """A new folder, gone after the block as is what killed processes left of this artifact. Needs the lock."""
        (self.root / step).mkdir(parents=True, exist_ok=True)
        for left in (self.root / step).glob(f".{key}-*"):
            remove_tree(left)
        folder = self._temporary_name(step, key)
        # With the user's own umask, as everything in it.
        folder.mkdir()
        try:
            yield folder
        finally:
            remove_tree(folder)

    def _discard(self, step: str, key: str, folder: Path) -> None:
        """Remove a folder that others may look at: it loses its name before its files go."""
        if folder.exists():
            doomed = self._temporary_name(step, key)
            folder.rename(doomed)
            remove_tree(doomed)

    def _temporary_name(self, step: str, key: str) -> Path:
        return self.root / step / f".{key}-{uuid.uuid4().hex}"

    def _folder(self, step: str, key: str) -> Path:
        return self.root / step / key


def _describe(draft: Draft, provenance: Provenance, started: datetime) -> ArtifactRecord:
    for path in draft.folder.rglob("*"):
        if path.is_symlink() or path == draft.folder / RECORD:
            raise ValueError(
                f"step {provenance.step} wrote {path.name}: an artifact holds no links, and its record is not the step's"
            )
    files = record_files(draft.folder)
    return ArtifactRecord(
        **provenance.model_dump(),
        key=provenance.key,
        parents={parent.name: parent.digest for parent in provenance.parents},
        files=files,
        digest=digest_files(files),
        facts=draft.facts,
        packages=package_versions(),
        created=started,
        seconds=(datetime.now(UTC) - started).total_seconds(),
    )
