"""Checkpoints that a kill at any instant leaves usable: written under another name, flushed, and renamed into place."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from videoguard.artifacts.flushing import flush
from videoguard.digests import digest_file

_STATE, _MANIFEST = "state.pt", "manifest.json"
_NAME = re.compile(r"step-(\d+)")
_KEPT = 2


def save_checkpoint(folder: Path, step: int, state: Mapping[str, Any]) -> None:
    """Save what a training needs to go on after `step`; the two newest are kept."""
    final = folder / f"step-{step}"
    unfinished = folder / f".step-{step}.unfinished"
    for left in (unfinished, final):
        shutil.rmtree(left, ignore_errors=True)
    unfinished.mkdir(parents=True)
    torch.save(dict(state), unfinished / _STATE)
    (unfinished / _MANIFEST).write_text(json.dumps({_STATE: digest_file(unfinished / _STATE)}), encoding="ascii")
    for path in (unfinished / _STATE, unfinished / _MANIFEST, unfinished):
        flush(path)
    unfinished.rename(final)
    flush(folder)
    for older in _steps(folder)[_KEPT:]:
        shutil.rmtree(folder / f"step-{older}")


def newest_checkpoint(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest checkpoint that is whole; None where there is none."""
    for step in _steps(folder):
        checkpoint = folder / f"step-{step}"
        try:
            manifest = json.loads((checkpoint / _MANIFEST).read_text(encoding="ascii"))
            if manifest[_STATE] == digest_file(checkpoint / _STATE):
                state: dict[str, Any] = torch.load(checkpoint / _STATE, weights_only=True, map_location="cpu")
                return step, state
        except (FileNotFoundError, ValueError, KeyError):
            continue
    return None


def _steps(folder: Path) -> list[int]:
    """Steps of the checkpoints in a folder, the newest first."""
    found = (_NAME.fullmatch(path.name) for path in folder.glob("step-*"))
    return sorted((int(name[1]) for name in found if name is not None), reverse=True)
