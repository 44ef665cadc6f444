"""The nights of a recipe: a folder a night under `nights/` of the state folder, and of the store that a team shares.

Each lies under its date, time and digest. Nights are no artifacts: `artifacts gc` does not remove them.
"""

import logging
import shutil
import uuid
from pathlib import Path

import fsspec
from pydantic import ValidationError

from videoguard.nights.night import NIGHT, SAMPLES, Night, NightSample, read_samples, write_night

_log = logging.getLogger(__name__)
_FOLDER = "nights"


class NightStore:
    """The nights of one recipe and registered model.

    A night is written beside its place and renamed; in the shared store `night.json` is written last, and a night without
    it is not there. A lost connection raises `OSError`; the night is kept here then, and the next one sends it.
    """

    def __init__(self, state: Path, model: str, recipe: str, shared: str | None = None) -> None:
        self.root = state / _FOLDER / model / recipe
        self._shared = None if shared is None else fsspec.core.url_to_fs(shared, use_listings_cache=False)
        self._below = f"{_FOLDER}/{model}/{recipe}"

    def nights(self) -> list[Night]:
        """All nights, oldest first: those of this machine, and those of others that share the store."""
        if self._shared is not None:
            self._exchange()
        found = (self._read(path.parent) for path in self.root.glob(f"[!.]*/{NIGHT}"))
        return sorted((night for night in found if night is not None), key=lambda night: night.started)

    def samples(self, night: Night) -> list[NightSample]:
        """The samples of a night."""
        return read_samples(self.root / night.name)

    def add(self, night: Night, samples: list[NightSample]) -> Path:
        """Keep a night; its folder."""
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self.root / f".{uuid.uuid4().hex}"
        draft.mkdir()
        write_night(night, samples, draft)
        folder = self.root / night.name
        if folder.exists():
            # Made again at the same second with the same content.
            shutil.rmtree(folder)
        draft.rename(folder)
        if self._shared is not None:
            self._send(night.name)
        return folder

    def _read(self, folder: Path) -> Night | None:
        try:
            return Night.model_validate_json((folder / NIGHT).read_bytes())
        except (ValidationError, OSError) as damage:
            _log.warning("night %s cannot be read and is left out: %s", folder.name, str(damage).splitlines()[0])
            return None

    def _exchange(self) -> None:
        """Fetch the nights that only the shared store has, and send those that only this machine has."""
        assert self._shared is not None
        files, root = self._shared
        there = {path.rstrip("/").split("/")[-2] for path in files.glob(f"{root}/{self._below}/*/{NIGHT}")}
        here = {path.parent.name for path in self.root.glob(f"[!.]*/{NIGHT}")}
        for name in sorted(there - here):
            draft = self.root / f".{uuid.uuid4().hex}"
            draft.mkdir(parents=True)
            for file in (SAMPLES, NIGHT):
                files.get_file(f"{root}/{self._below}/{name}/{file}", str(draft / file))
            draft.rename(self.root / name)
        for name in sorted(here - there):
            self._send(name)

    def _send(self, name: str) -> None:
        assert self._shared is not None
        files, root = self._shared
        files.makedirs(f"{root}/{self._below}/{name}", exist_ok=True)
        for file in (SAMPLES, NIGHT):
            files.put_file(str(self.root / name / file), f"{root}/{self._below}/{name}/{file}")
