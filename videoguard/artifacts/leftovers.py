"""What killed processes left in a local store."""

import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from videoguard.artifacts.garbage import Leftover
from videoguard.artifacts.locks import lock_if_free
from videoguard.artifacts.records import read_record

WORK = ".work"
_KEY_DIGITS = 32

Kind = Literal["draft", "damaged", "work"]


def find_leftovers(root: Path) -> list[Leftover]:
    """What killed processes left in the store at `root`; what a process is at work on is left out."""
    found = []
    for kind, path in _candidates(root):
        step, key = _owner(path)
        with lock_if_free(root, step, key) as free:
            # Looked at again with the lock held: it may have been finished or removed meanwhile.
            if free and path.exists() and not (kind == "damaged" and read_record(path)):
                size, modified = _measure(path)
                found.append(Leftover(path.relative_to(root).as_posix(), kind, size, modified))
    return found


def remove_leftover(root: Path, leftover: Leftover) -> bool:
    """Remove it; False where a process is at work on it."""
    path = root / leftover.name
    with lock_if_free(root, *_owner(path)) as free:
        if free:
            remove_tree(path)
        return free


def remove_tree(path: Path) -> None:
    """Remove a file or a folder as far as it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _candidates(root: Path) -> Iterator[tuple[Kind, Path]]:
    for step in sorted(path for path in root.glob("[!.]*") if path.is_dir()):
        for path in sorted(step.iterdir()):
            if path.name.startswith("."):
                if path.name[_KEY_DIGITS + 1 : _KEY_DIGITS + 2] == "-":
                    yield "draft", path
            elif path.is_dir() and len(path.name) == _KEY_DIGITS and read_record(path) is None:
                yield "damaged", path
    for work in sorted(root.glob(f"{WORK}/*/*")):
        yield "work", work


def _owner(path: Path) -> tuple[str, str]:
    """Step and key of the artifact that a leftover belongs to."""
    return path.parent.name, path.name.removeprefix(".")[:_KEY_DIGITS]


def _measure(path: Path) -> tuple[int, datetime]:
    """Bytes of a file or folder, and when it was last changed."""
    states = [each.lstat() for each in (path, *path.rglob("*"))]
    size = sum(state.st_size for state in states if stat.S_ISREG(state.st_mode))
    return size, datetime.fromtimestamp(max(state.st_mtime for state in states), UTC)
