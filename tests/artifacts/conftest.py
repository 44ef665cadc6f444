"""Artifacts small enough to make in every test, processes to kill, and shared stores of each kind."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from videoguard.artifacts.records import Artifact, ArtifactRecord, FileRecord, Provenance
from videoguard.artifacts.store import ArtifactStore

Make = Callable[..., Artifact]
Child = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


@pytest.fixture
def provenance() -> Provenance:
    return Provenance(step="frames", code="c0de", settings={"count": 8, "codec": "png"}, inputs={"media": "d1"})


@pytest.fixture
def make() -> Make:
    """Makes an artifact with two files, one in a sub-folder."""

    def make_one(store: ArtifactStore, provenance: Provenance, content: bytes = b"frame after frame") -> Artifact:
        with store.draft(provenance) as draft:
            (draft.folder / "shard.parquet").write_bytes(content)
            (draft.folder / "sub").mkdir()
            (draft.folder / "sub" / "index.json").write_text("{}")
            draft.facts = {"frames": 3}
        found = store.find(provenance)
        assert found is not None
        return found

    return make_one


@pytest.fixture
def child() -> Iterator[Child]:
    """Starts Python processes that run the given source; they are gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of a real S3 endpoint on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_settings(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The standard variables by which a user names an endpoint and credentials."""
    file_system = fsspec.get_filesystem_class("s3")
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "team",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        # A lost connection is to be told at once.
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    file_system.clear_instance_cache()
    yield
    file_system.clear_instance_cache()


@pytest.fixture
def bucket(s3_settings: None) -> str:
    name = f"team-{uuid.uuid4().hex}"
    fsspec.filesystem("s3").mkdir(name)
    return name


@pytest.fixture(params=["folder", "memory", "s3"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind that a team may share."""
    if request.param == "folder":
        return str(tmp_path / "team")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}"
    return f"s3://{request.getfixturevalue('bucket')}/video-guard"


def _record(
    step: str,
    digit: str,
    *,
    digest: str | None = None,
    size: int = 10,
    created: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    parents: Sequence[ArtifactRecord] = (),
) -> ArtifactRecord:
    return ArtifactRecord(
        step=step,
        key=digit * 32,
        code="code",
        settings={},
        inputs={},
        parents={parent.name: parent.digest for parent in parents},
        files={"file": FileRecord(size=size, sha256="")},
        digest=digest if digest is not None else f"digest of {digit}",
        facts={},
        packages={},
        created=created,
        seconds=1.0,
    )


@pytest.fixture(scope="session")
def record() -> Callable[..., ArtifactRecord]:
    """Makes the record of an artifact whose key is one digit over and over."""
    return _record
