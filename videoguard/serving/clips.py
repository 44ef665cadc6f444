"""The video of a request: uploaded, below an allowed folder, or fetched from an allowed host."""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from videoguard.digests import digest_file
from videoguard.serving.fetching import fetch
from videoguard.serving.problems import ProblemError
from videoguard.serving.settings import MB, ServeSettings

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_CHUNK = 1 << 20
_PREFIX, _LOCK = "video-guard-uploads-", "lock"


@dataclass(frozen=True)
class Clip:
    """A video file to look at."""

    path: Path
    name: str
    """What the client calls it."""
    sha256: str
    size: int
    """Bytes."""


class Uploads:
    """The private folder that uploads lie in while they are looked at.

    Its file `lock` is held as long as the service lives. A folder whose lock nobody holds was left by one that was killed,
    and is removed by the next service.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        _remove_left(settings.temporary or Path(tempfile.gettempdir()))
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=settings.temporary))
        self._lock = os.open(self.folder / _LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def files(self) -> list[Path]:
        """The videos that lie in it now."""
        return [file for file in self.folder.iterdir() if file.name != _LOCK]

    @asynccontextmanager
    async def clip(self, upload: UploadFile | None, path: str | None, url: str | None) -> AsyncIterator[Clip | None]:
        """The video that a request shows; None where it shows none. An upload, or what was fetched, is removed at the end.

        Raises:
            ProblemError: more than one is given, or the one that is given may not be read, or is too large.
        """
        given = [name for name, value in (("video", upload), ("path", path), ("url", url)) if value]
        if len(given) > 1:
            raise ProblemError(400, "the video", " and ".join(given), "one of these may be given", "leave the others out")
        if path:
            yield await run_in_threadpool(self._below_root, path)
            return
        if not upload and not url:
            yield None
            return
        name = (upload.filename if upload else (url or "").partition("?")[0].rpartition("/")[2]) or "video"
        file = self.new_file(name)
        try:
            if upload:
                sha256, size = await run_in_threadpool(copy, upload.file, file)
            else:
                sha256, size = await fetch(url or "", file, self._settings)
            yield Clip(file, Path(name).name, sha256, size)
        except OSError as fault:
            if fault.errno != errno.ENOSPC:
                raise
            rule = "a video must fit into the folder of uploads (--temporary)"
            raise ProblemError(507, "the disk", "full", rule, "tell who runs the service, or try again later") from None
        finally:
            await run_in_threadpool(file.unlink, missing_ok=True)

    def new_file(self, name: str) -> Path:
        """A name in the folder with the ending that the client gave, by which some decoders tell a format."""
        suffix = Path(name).suffix
        return self.folder / (os.urandom(16).hex() + (suffix if _SUFFIX.fullmatch(suffix) else ""))

    def _below_root(self, given: str) -> Clip:
        path = resolve_below(given, self._settings.roots)
        size = path.stat().st_size
        if size > self._settings.most_bytes:
            raise ProblemError(
                413, "path", f"{given} with {size / MB:.1f} MiB",
                f"a video may have {self._settings.max_upload_mb:g} MiB (--max-upload-mb)", "name a smaller one",
            )  # fmt: skip
        return Clip(path, path.name, digest_file(path), size)


def _remove_left(parent: Path) -> None:
    """Remove the folders of services that were killed."""
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        # That of another user cannot be opened, and one that is at work is held.
        with suppress(OSError), lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def resolve_below(given: str, roots: Sequence[Path]) -> Path:
    """The file that a client names, where it lies below an allowed folder, with every link followed.

    Raises:
        ProblemError: it does not, or is not there. What is outside is not told from what is not there.
    """
    mend = "name a file below an allowed folder, or upload it"
    if not roots:
        raise ProblemError(
            403, "path", given, "the service reads no paths (it was started without --root)", "upload the video"
        )
    for root in roots:
        try:
            home = root.resolve(strict=True)
            # A path from the root's own beginning stays what it is, and is refused below where it leads elsewhere.
            found = (home / given).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            continue
        if found.is_relative_to(home) and found.is_file():
            return found
    raise ProblemError(403, "path", given, "there is no such file below the allowed folders (--root)", mend)


def copy(source: BinaryIO, file: Path) -> tuple[str, int]:
    """Write a new file that its owner alone can read; SHA-256 and size of the content."""
    digest, size = hashlib.sha256(), 0
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as written:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            written.write(chunk)
    return digest.hexdigest(), size
