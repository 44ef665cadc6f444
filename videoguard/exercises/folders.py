"""A folder of made videos: made once and kept, and never in the place of anything else."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from videoguard.errors import UserError

RECORD = "generated.json"


@dataclass(frozen=True)
class MadeSet:
    """A set of videos with its manifest."""

    generator: str
    """Name and version, with a slash between."""
    parameters: Mapping[str, object]
    manifest: str
    """Name of the manifest within the folder."""
    files: Sequence[str]
    """Every other file, relative to the folder."""
    listed_in: Callable[[bytes], Sequence[str]]
    """The files that the content of such a manifest names."""

    def make_once(self, folder: Path, fill: Callable[[Path], None]) -> Path:
        """The manifest in `folder`, which `fill` makes in an empty draft folder where the set is not there whole.

        The folder appears whole or not at all, however the process ends; a generated set of other parameters is replaced.

        Raises:
            UserError: the folder holds files that are not of a generated set.
        """
        if self._is_held_by(folder):
            return folder / self.manifest
        self._refuse_foreign_files(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            fill(draft)
            record = {
                "generator": self.generator,
                "parameters": self.parameters,
                "manifest_sha256": _digest(draft / self.manifest),
            }
            (draft / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            _put_in_place(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return folder / self.manifest

    def _is_held_by(self, folder: Path) -> bool:
        record = self._read_record(folder)
        if record is None or record.get("generator") != self.generator or record.get("parameters") != self.parameters:
            return False
        manifest = folder / self.manifest
        if not manifest.is_file() or _digest(manifest) != record.get("manifest_sha256"):
            return False
        return all((folder / name).is_file() for name in self.files)

    def _refuse_foreign_files(self, folder: Path) -> None:
        """Raise unless all that stands in the folder was put there by this generator, so that replacing it loses nothing."""
        if not folder.exists():
            return
        if not folder.is_dir():
            raise UserError(
                f"{folder} is a file: the synthetic videos need a folder there; move it, or set data.manifest elsewhere"
            )
        if not any(folder.iterdir()):
            return
        record = self._read_record(folder)
        mend = "set data.manifest to another folder, or remove this one if it is not needed"
        if record is None:
            raise UserError(f"{folder} holds files that were not generated ({_first_name(folder)}): {mend}")
        manifest = folder / self.manifest
        if manifest.exists() and _digest(manifest) != record.get("manifest_sha256"):
            raise UserError(f"{manifest} was changed after it was generated and would be overwritten: {mend}")
        listed = self.listed_in(manifest.read_bytes()) if manifest.exists() else ()
        own = {RECORD, self.manifest, *listed}
        present = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
        }
        if foreign := sorted(present - own):
            raise UserError(f"{folder / foreign[0]} was not generated and would be lost: {mend}")

    def _read_record(self, folder: Path) -> dict[str, object] | None:
        """The record of a generated set; None where there is none, or it is not one of this generator's."""
        try:
            record = json.loads((folder / RECORD).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        ours = isinstance(record, dict) and str(record.get("generator", "")).startswith(self.generator.partition("/")[0])
        return record if ours else None


def _put_in_place(draft: Path, folder: Path) -> None:
    """Rename the finished draft to its final name; a generated set that it replaces is moved aside and removed."""
    draft.chmod(0o755)
    if folder.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        folder.rename(aside / folder.name)
        draft.rename(folder)
        shutil.rmtree(aside)
    else:
        draft.rename(folder)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _first_name(folder: Path) -> str:
    return min(path.name for path in folder.iterdir())
