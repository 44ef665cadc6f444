"""What is recorded of an artifact."""

import json
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from videoguard.digests import digest_file, digest_json

RECORD = "artifact.json"
_SEAL = "seal"

StepName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class FileRecord(BaseModel):
    """Size in bytes and SHA-256 of one file of an artifact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str


class Artifact(BaseModel):
    """Reference to a stored artifact: small, JSON, and independent of where the store is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: StepName
    key: Key
    digest: str
    facts: dict[str, object] = {}
    created: datetime
    seconds: float

    @property
    def name(self) -> str:
        """`step/key`: its folder within a store."""
        return f"{self.step}/{self.key}"


class Provenance(BaseModel):
    """All that the content of an artifact depends on; its digest is the artifact's key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: StepName
    code: str
    """Fingerprint of the source that makes it."""
    settings: dict[str, object]
    """Configuration that its content depends on."""
    inputs: dict[str, str]
    """Digests of its inputs, by name."""
    parents: tuple[Artifact, ...] = Field(default=(), exclude=True)
    """Stored artifacts that it is made from. They are recorded and no part of the key: `inputs` digests what matters."""

    @property
    def key(self) -> str:
        """Name of the artifact: 32 hexadecimal digits."""
        return digest_json(self.model_dump(mode="json"))[:32]


class ArtifactRecord(BaseModel):
    """`artifact.json`: what an artifact is, what it came from and what it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    step: StepName
    key: Key
    code: str
    settings: dict[str, object]
    inputs: dict[str, str]
    parents: dict[str, str]
    """Digest of each stored artifact that it was made from, by `step/key`."""
    files: dict[str, FileRecord]
    """Every file of the folder but this one, by relative path."""
    digest: str
    """Digest of the files: equal content has equal digests."""
    facts: dict[str, object]
    """Counts and other small results that the next step or the report tells."""
    packages: dict[str, str]
    """Versions of the packages that made it."""
    created: datetime
    """When the making began."""
    seconds: float
    """Wall time of the making."""

    @field_validator("files")
    @classmethod
    def _lie_within(cls, files: dict[str, FileRecord]) -> dict[str, FileRecord]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or name in {"", RECORD}:
                raise ValueError(f"{name!r} is not a file of the artifact")
        return files

    @property
    def name(self) -> str:
        """`step/key`: its folder within a store."""
        return f"{self.step}/{self.key}"

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


def write_record(folder: Path, record: ArtifactRecord) -> None:
    """Write `artifact.json`, sealed with the digest of what it says."""
    content = json.loads(record.model_dump_json())
    text = json.dumps({**content, _SEAL: digest_json(content)}, indent=1, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def read_record(folder: Path) -> ArtifactRecord | None:
    """The record of the artifact in `folder`; None where it is missing, unreadable or says other than was written."""
    try:
        return parse_record((folder / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def parse_record(written: bytes) -> ArtifactRecord | None:
    """A record from the bytes of `artifact.json`; None where it is unreadable or its seal is broken."""
    try:
        content = json.loads(written)
        if not isinstance(content, dict) or content.pop(_SEAL, None) != digest_json(content):
            return None
        return ArtifactRecord.model_validate(content)
    except (ValueError, ValidationError):
        return None


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Size and digest of every file below `folder` but its `artifact.json`, by relative path."""
    named = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name: FileRecord(size=path.stat().st_size, sha256=digest_file(path))
        for name, path in named.items()
        if name != RECORD
    }


def digest_files(files: dict[str, FileRecord]) -> str:
    """Digest of the content of all files."""
    return digest_json({name: record.sha256 for name, record in files.items()})
