"""Which files a manifest may name."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_LONGEST_NAME = 255  # bytes, on the usual file systems
_LONGEST_PATH = 1024  # leaves room for the media root
# With one slash left of two: names are looked at after they were simplified.
_ADDRESS = re.compile(r"(?:https?|ftp|s3|gs|hf|rtsp):/|data:[a-z]+/", re.IGNORECASE)
_FILE_SCHEME = "file://"


@dataclass(frozen=True, slots=True)
class MediaRule:
    """Media must lie under `root`, unless the recipe says `data.allow_outside`."""

    root: Path
    allow_outside: bool = False

    def simplify(self, name: str) -> str:
        """A media name without `file://`, `./` and doubled slashes: one file, one name."""
        name = name.removeprefix(_FILE_SCHEME)
        # By hand: pathlib takes longer than all else that is done with a row.
        parts = "/".join(part for part in name.split("/") if part not in {"", "."})
        return f"/{parts}" if name.startswith("/") else parts or "."

    def broken_by(self, name: str) -> str | None:
        """The rule that a simplified name breaks; None where it may be used.

        Symbolic links under the root are followed, since they belong to the folder and not to the manifest; `..` must not
        leave the root.
        """
        parts = name.split("/")
        if "\0" in name:
            return "a path must not hold a null character"
        if _ADDRESS.match(name):
            return "it must be a file, not an address: download it first"
        if any(len(part.encode("utf-8")) > _LONGEST_NAME for part in parts) or len(name) > _LONGEST_PATH:
            return "it is longer than the path of a file can be"
        if self.allow_outside:
            return None
        if name.startswith("/"):
            return "it must be relative to the media root, or data.allow_outside must be true"
        if ".." in parts and not self._stays_inside(name):
            return "it must not leave the media root, or data.allow_outside must be true"
        return None

    def _stays_inside(self, name: str) -> bool:
        # Both as written and as the file system reads it: what `link/..` means depends on where the link leads.
        written = Path(os.path.normpath(self.root.absolute() / name))
        try:
            followed = (self.root / name).resolve()
        except (OSError, RuntimeError):
            # Links that lead in a circle.
            return False
        return written.is_relative_to(os.path.normpath(self.root.absolute())) and followed.is_relative_to(
            self.root.resolve()
        )
