import logging
import threading
import uuid

import fsspec
import pytest

from videoguard.artifacts.garbage import Leftover
from videoguard.artifacts.records import RECORD, parse_record, write_record
from videoguard.artifacts.shared import SharedStore
from videoguard.artifacts.store import ArtifactStore
from videoguard.errors import UserError

ADD_ONE = """
import sys
from pathlib import Path
from videoguard.artifacts.records import Provenance
from videoguard.artifacts.store import ArtifactStore
with ArtifactStore(Path(sys.argv[1]), sys.argv[2]).draft(Provenance.model_validate_json(sys.argv[3])) as draft:
    (draft.folder / "file").write_bytes(b"there")
"""


@pytest.fixture
def here(tmp_path, shared_url):
    return ArtifactStore(tmp_path / "here", shared_url)


@pytest.fixture
def there(tmp_path, shared_url):
    """Another machine's store."""
    return ArtifactStore(tmp_path / "there", shared_url)


@pytest.fixture
def objects(shared_url):
    """The shared files themselves, as they are now."""
    files, root = fsspec.core.url_to_fs(shared_url, use_listings_cache=False)
    return files, root.rstrip("/")


def content_of(files, root: str, name: str) -> str:
    (path,) = [path for path in files.find(root) if path.endswith(name)]
    return str(path)


def test_another_machine_finds_what_the_first_made_whole(here, there, provenance, make):
    artifact = make(here, provenance)
    assert there.find(provenance) == artifact
    folder = there.path(artifact)
    assert (folder / "shard.parquet").read_bytes() == b"frame after frame"
    assert (folder / "sub" / "index.json").read_text() == "{}"
    assert there.records() == here.records()
    assert [path.name for path in (there.root / "frames").glob(".*-*")] == []


def test_the_artifacts_of_a_step_that_only_others_have_are_known_by_their_records(here, there, provenance, make):
    make(here, provenance)
    elsewhere = make(there, provenance.model_copy(update={"inputs": {"media": "d2"}}))
    make(there, provenance.model_copy(update={"step": "dataset"}))
    assert [record.artifact for record in here.records_elsewhere("frames")] == [elsewhere]
    assert [record.artifact for record in there.records("frames")] == [elsewhere]
    assert ArtifactStore(here.root).records_elsewhere("frames") == []


def test_a_reference_fetches_the_artifact(here, there, provenance, make):
    artifact = make(here, provenance)
    assert (there.path(artifact) / "shard.parquet").is_file()
    gone = artifact.model_copy(update={"key": "0" * 32})
    with pytest.raises(FileNotFoundError, match=r"is gone from .*there and"):
        there.path(gone)


def test_an_upload_that_was_cut_off_is_not_seen_and_completed_by_the_next_look(here, there, provenance, make, objects):
    artifact = make(here, provenance)
    files, root = objects
    files.rm_file(content_of(files, root, RECORD))
    assert there.find(provenance) is None
    assert here.find(provenance) == artifact
    assert there.find(provenance) == artifact


def test_a_damaged_artifact_is_replaced_by_the_shared_one(here, provenance, make, caplog):
    artifact = make(here, provenance)
    (here.path(artifact) / "shard.parquet").write_bytes(b"frame after frane")
    with caplog.at_level(logging.WARNING):
        assert here.find(provenance) == artifact
    assert "shard.parquet has other bytes" in caplog.text
    assert (here.path(artifact) / "shard.parquet").read_bytes() == b"frame after frame"


def test_wrong_bytes_are_refused_and_made_again_for_everyone(here, there, provenance, make, objects, caplog, shared_url):
    artifact = make(here, provenance)
    files, root = objects
    files.pipe_file(content_of(files, root, "shard.parquet"), b"frame after frane")
    assert there.find(provenance) is None
    assert f"artifact frames/{artifact.key} in {shared_url} is damaged: shard.parquet has other bytes" in caplog.text
    assert list((there.root / "frames").glob("*")) == []
    make(there, provenance)
    third = ArtifactStore(there.root.with_name("third"), shared_url)
    found = third.find(provenance)
    assert found is not None
    assert found.digest == artifact.digest


def test_a_look_while_it_is_made_again_waits_and_takes_what_was_made(here, there, provenance, make, monkeypatch):
    """What is shared never takes the place of what this machine has just made."""
    shared = make(here, provenance, b"made here")
    looked = threading.Event()
    has = SharedStore.has

    def tell(store: SharedStore, step: str, key: str) -> bool:
        there_is = has(store, step, key)
        looked.set()
        return there_is

    monkeypatch.setattr(SharedStore, "has", tell)
    found = []
    with there.lock(provenance):
        looking = threading.Thread(target=lambda: found.append(there.find(provenance)))
        looking.start()
        # It has found nothing here and something there.
        assert looked.wait(60)
        with there.draft(provenance) as draft:
            (draft.folder / "shard.parquet").write_bytes(b"made there")
        made = (there.root / "frames" / provenance.key).stat().st_ino
    looking.join()
    assert found[0] is not None
    assert found[0].digest != shared.digest
    # It was not fetched over.
    assert there.path(found[0]).stat().st_ino == made


def test_what_another_process_adds_is_seen(bucket, tmp_path, provenance, make, child):
    url = f"s3://{bucket}/x"
    make(ArtifactStore(tmp_path / "here", url), provenance)
    shared = SharedStore(url)
    assert len(shared.records()) == 1
    newer = provenance.model_copy(update={"code": "newer"})
    process = child(ADD_ONE, tmp_path / "there", url, newer.model_dump_json())
    assert process.wait() == 0
    assert len(shared.records()) == 2


@pytest.mark.parametrize("missing", ["shard.parquet", "sub/index.json"])
def test_a_shared_file_that_is_missing_is_named(here, there, provenance, make, objects, caplog, missing):
    make(here, provenance)
    files, root = objects
    files.rm_file(content_of(files, root, missing))
    assert there.find(provenance) is None
    assert missing in caplog.text


@pytest.mark.parametrize("written", [b"", b"{}", b"\xff\xff"])
def test_a_damaged_shared_record_is_no_artifact(here, there, provenance, make, objects, written):
    make(here, provenance)
    files, root = objects
    files.pipe_file(content_of(files, root, RECORD), written)
    assert there.find(provenance) is None
    assert SharedStore(f"{files.unstrip_protocol(root)}").records() == []


def test_a_record_that_names_files_elsewhere_is_refused(here, provenance, make, objects, tmp_path):
    folder = here.path(make(here, provenance))
    (record,) = here.records()
    leading_out = record.model_copy(update={"files": {"../../escaped": record.files["shard.parquet"]}})
    write_record(folder, leading_out)
    assert parse_record((folder / RECORD).read_bytes()) is None


def test_machines_that_make_the_same_artifact_do_not_mix_their_files(here, there, tmp_path, provenance, make, shared_url):
    """Both found nothing, and made it with bytes of their own: the later record counts, with its own files."""
    first = make(here, provenance, b"made here")
    second = make(there, provenance, b"made there")
    assert first.digest != second.digest
    third = ArtifactStore(tmp_path / "third", shared_url)
    found = third.find(provenance)
    assert found == second
    assert (third.path(second) / "shard.parquet").read_bytes() == b"made there"
    assert here.find(provenance) == first


def test_removing_here_leaves_the_shared_one(here, provenance, make):
    artifact = make(here, provenance)
    assert here.remove(artifact.step, artifact.key)
    assert here.records() == []
    assert here.find(provenance) == artifact


def test_removing_from_the_shared_store_leaves_nothing_there(here, there, provenance, make, shared_url, objects):
    artifact = make(here, provenance)
    shared = SharedStore(shared_url)
    (record,) = shared.records()
    assert record.artifact == artifact
    assert shared.find_damage(record) is None
    shared.remove(artifact.step, artifact.key)
    assert shared.records() == []
    files, root = objects
    assert files.find(root) == []
    assert there.find(provenance) is None


def test_a_shared_file_of_another_size_is_told_without_reading_it(here, provenance, make, shared_url, objects):
    make(here, provenance)
    files, root = objects
    shared = SharedStore(shared_url)
    (record,) = shared.records()
    files.pipe_file(content_of(files, root, "shard.parquet"), b"frame")
    assert shared.find_damage(record) == "shard.parquet has 5 bytes, 17 were written"
    files.rm_file(content_of(files, root, "shard.parquet"))
    assert shared.find_damage(record) == "shard.parquet is missing"


def test_an_upload_under_way_is_no_leftover(here, provenance, make, shared_url, objects):
    make(here, provenance)
    files, root = objects
    files.rm_file(content_of(files, root, RECORD))
    assert SharedStore(shared_url).leftovers() == []


def test_an_old_cut_off_upload_is_a_leftover_that_can_be_removed(tmp_path, provenance, make):
    """In a folder, where the times of files can be set back."""
    import os

    team = tmp_path / "team"
    here = ArtifactStore(tmp_path / "here", str(team))
    artifact = make(here, provenance)
    other = make(here, provenance.model_copy(update={"code": "newer"}))
    (team / "frames" / artifact.key / RECORD).unlink()
    for path in team.rglob("*"):
        os.utime(path, (0, 0))
    shared = SharedStore(str(team))
    (leftover,) = shared.leftovers()
    assert leftover == Leftover(f"frames/{artifact.key}/{artifact.digest[:32]}", "draft", 19, leftover.modified)
    assert shared.remove_leftover(leftover)
    assert shared.leftovers() == []
    assert [record.artifact for record in shared.records()] == [other]


def test_a_usable_store_is_left_as_it_was(shared_url, objects):
    SharedStore(shared_url).require_usable()
    files, root = objects
    assert files.find(root) == []


@pytest.mark.parametrize("url", ["nosuch://bucket/store", "gs3://bucket"])
def test_an_unknown_kind_of_store_is_refused(url):
    with pytest.raises(UserError, match=rf"execution.store is {url}: .*fsspec package"):
        SharedStore(url)


def test_a_bucket_that_does_not_exist_is_refused_and_not_made(s3_settings, tmp_path, provenance, make):
    name = f"typo-{uuid.uuid4().hex}"
    with pytest.raises(UserError, match=rf"execution.store is s3://{name}/x: .*AWS_ENDPOINT_URL"):
        SharedStore(f"s3://{name}/x").require_usable()
    store = ArtifactStore(tmp_path / "here", f"s3://{name}/x")
    with pytest.raises(FileNotFoundError):
        make(store, provenance)
    assert name not in fsspec.filesystem("s3").ls("")


def test_a_lost_connection_raises_and_the_next_look_sends_the_artifact(bucket, tmp_path, provenance, make, monkeypatch):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    store = ArtifactStore(tmp_path / "here", f"s3://{bucket}/x")

    def train() -> None:
        with store.draft(provenance) as draft:
            (draft.folder / "adapter").write_bytes(b"an hour of training")
            server.stop()

    with pytest.raises(ConnectionError, match=f"shared store s3://{bucket}/x"):
        train()
    with pytest.raises(ConnectionError):
        store.find(provenance)
    with pytest.raises(UserError, match="AWS_ENDPOINT_URL"):
        SharedStore(f"s3://{bucket}/x").require_usable()
    assert (tmp_path / "here" / "frames" / provenance.key / "adapter").read_bytes() == b"an hour of training"

    # The server's buckets live in this process, so they are still there.
    again = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    again.start()
    try:
        artifact = store.find(provenance)
        assert artifact is not None
        other = ArtifactStore(tmp_path / "there", f"s3://{bucket}/x")
        assert other.find(provenance) == artifact
    finally:
        again.stop()
