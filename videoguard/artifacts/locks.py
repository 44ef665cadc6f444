"""One process of a machine at a time makes or removes an artifact; the lock of a killed process is free at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def artifact_lock(root: Path, step: str, key: str) -> FileLock:
    """The lock of an artifact of the store at `root`; a thread that holds it may take it again."""
    folder = _folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    # A lock is held by its object, so there must be one object for each file.
    return FileLock(folder / f"{step}-{key}.lock", is_singleton=True)


@contextmanager
def lock_if_free(root: Path, step: str, key: str) -> Iterator[bool]:
    """Hold the lock of an artifact during the block where nobody else does; whether it is held."""
    lock = artifact_lock(root, step, key)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def held_locks(root: Path) -> list[str]:
    """`step/key` of every artifact that a process is at work on now."""
    held = []
    for path in sorted(_folder(root).glob("*.lock")):
        step, _, key = path.stem.rpartition("-")
        with lock_if_free(root, step, key) as free:
            if not free:
                held.append(f"{step}/{key}")
    return held


def _folder(root: Path) -> Path:
    return root / ".locks"
