"""A store that several machines share: any fsspec URL. The local store is its cache."""

import json
import shutil
import tempfile
from pathlib import Path

import fsspec

from videoguard.artifacts.records import RECORD, ArtifactRecord, read_record
from videoguard.errors import UserError


class SharedStore:
    """Artifacts under an fsspec URL, such as `s3://bucket/video-guard`.

    The record of an artifact is written after its files: where it is found, the artifact is complete.
    """

    def __init__(self, url: str) -> None:
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as unknown:
            raise UserError(
                f"execution.store is {url}: {unknown}; give a folder, or a URL whose fsspec package is installed (s3fs for s3://)"
            ) from None

    def fetch(self, step: str, key: str, final: Path) -> bool:
        """Copy an artifact to the folder `final` as a whole; whether there is one."""
        if not self._files.exists(self._place(step, key, RECORD)):
            return False
        final.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=final.parent))
        try:
            self._files.get_file(self._place(step, key, RECORD), str(draft / RECORD))
            record = read_record(draft)
            if record is None:
                return False
            for name in record.files:
                file = draft / name
                file.parent.mkdir(parents=True, exist_ok=True)
                self._files.get_file(self._place(step, key, name), str(file))
            draft.chmod(0o755)
            draft.replace(final)
        except FileNotFoundError:
            # Its files are gone: another machine is removing or replacing it.
            return False
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return True

    def has(self, record: ArtifactRecord) -> bool:
        """Whether the artifact is there, complete."""
        return bool(self._files.exists(self._place(record.step, record.key, RECORD)))

    def put(self, record: ArtifactRecord, folder: Path) -> None:
        """Copy an artifact to the store, its record last."""
        for name in (*record.files, RECORD):
            place = self._place(record.step, record.key, name)
            self._files.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
            self._files.put_file(str(folder / name), place)

    def remove(self, step: str, key: str) -> None:
        """Remove an artifact, its record first, so that nobody reads a part of it."""
        marker = self._place(step, key, RECORD)
        if self._files.exists(marker):
            self._files.rm_file(marker)
        folder = self._place(step, key)
        if self._files.exists(folder):
            self._files.rm(folder, recursive=True)

    def records(self) -> list[ArtifactRecord]:
        """Records of all complete artifacts."""
        found = self._files.glob(self._place("*", "*", RECORD))
        return [ArtifactRecord.model_validate(json.loads(self._files.cat_file(path))) for path in sorted(found)]

    def _place(self, *parts: str) -> str:
        return "/".join([self._root.rstrip("/"), *parts])
