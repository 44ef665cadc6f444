"""Report files that appear whole or not at all."""

import os
from pathlib import Path

from videoguard.errors import UserError


def replace_file(path: Path, content: bytes) -> None:
    """Put a report in place whole: a reader sees the old one or the new one, also after a loss of power.

    Raises:
        UserError: it cannot be written there.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UserError(
            f"{path}: the report cannot be written ({error.strerror}): close it where it is open, or choose another folder"
        ) from error
