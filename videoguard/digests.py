"""Digests of values, files and source."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def digest_json(value: object) -> str:
    """SHA-256 of a JSON value, independent of the order of its keys.

    Text is escaped to ASCII, so that names of files that are not UTF-8 have a digest too.

    Raises:
        ValueError: it holds NaN or an infinity, which JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_media(source: Path | tuple[Path, ...]) -> str:
    """Digest of what frames are made of: of a video's bytes, or of images in their order."""
    return digest_file(source) if isinstance(source, Path) else digest_json([digest_file(image) for image in source])


def digest_source(modules: Iterable[str]) -> str:
    """Fingerprint of source: the Python files of folders or modules named relative to the `videoguard` package.

    `digest_source(["frames", "errors.py"])` does not depend on where the checkout is.

    Raises:
        FileNotFoundError: there is no such folder or module, or a folder holds no Python file.
    """
    package = Path(__file__).parent
    files: set[Path] = set()
    for name in modules:
        place = package / name
        found = list(place.rglob("*.py")) if place.is_dir() else [place]
        if not found:
            raise FileNotFoundError(f"{place} holds no Python file: it has no source to fingerprint")
        files.update(found)
    named = {file.relative_to(package).as_posix(): digest_file(file) for file in files}
    return digest_json(named)


def digest_program() -> str:
    """Fingerprint of all source that a step may run: the packages `videoguard` and `tasks`, which stand side by side."""
    root = Path(__file__).parents[1]
    files = [file for package in ("videoguard", "tasks") for file in (root / package).rglob("*.py")]
    return digest_json({file.relative_to(root).as_posix(): digest_file(file) for file in files})
