"""What is recorded of an artifact."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from videoguard.digests import digest_file, digest_json

RECORD = "artifact.json"


class FileRecord(BaseModel):
    """Size in bytes and SHA-256 of one file of an artifact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str


class Provenance(BaseModel):
    """All that the content of an artifact depends on; its digest is the artifact's key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    code: str
    """Fingerprint of the source that makes it."""
    settings: dict[str, object]
    """Configuration that its content depends on."""
    inputs: dict[str, str]
    """Digests of its inputs, by name."""

    @property
    def key(self) -> str:
        """Name of the artifact: 32 hexadecimal digits."""
        return digest_json(self.model_dump(mode="json"))[:32]


class Artifact(BaseModel):
    """Reference to a stored artifact: small, JSON, and independent of where the store is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    key: str
    digest: str
    facts: dict[str, object] = {}
    created: datetime
    seconds: float


class ArtifactRecord(BaseModel):
    """`artifact.json`: what an artifact is, what it came from and what it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    step: str
    key: str
    code: str
    settings: dict[str, object]
    inputs: dict[str, str]
    files: dict[str, FileRecord]
    """Every file of the folder but this one, by relative path."""
    digest: str
    """Digest of the files: equal content has equal digests."""
    facts: dict[str, object]
    """Counts and other small results that the next step or the report tells."""
    packages: dict[str, str] = {}
    """Versions of the packages that made it."""
    created: datetime
    """When the making began."""
    seconds: float
    """Wall time of the making."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    @property
    def artifact(self) -> Artifact:
        """The reference that steps hand on."""
        return Artifact(
            step=self.step, key=self.key, digest=self.digest, facts=self.facts, created=self.created, seconds=self.seconds
        )


def read_record(folder: Path) -> ArtifactRecord | None:
    """The record of the artifact in `folder`; None where it is missing or unreadable."""
    try:
        return ArtifactRecord.model_validate_json((folder / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Size and digest of every file below `folder`, by relative path."""
    return {
        path.relative_to(folder).as_posix(): FileRecord(size=path.stat().st_size, sha256=digest_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != RECORD
    }


def digest_files(files: dict[str, FileRecord]) -> str:
    """Digest of the content of all files."""
    return digest_json({name: record.sha256 for name, record in files.items()})
