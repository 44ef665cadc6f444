"""Digests of values, files and source."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


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
