"""The artifact store: what is found again, what is made again, and that nothing half-made is ever found."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import videoguard
from videoguard.artifacts import RECORD, Artifact, ArtifactStore, Provenance, digest_json, digest_source, read_record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def provenance(**changes: Any) -> Provenance:
    fields: dict[str, Any] = {"step": "frames", "code": "c0de", "settings": {"count": 8}, "inputs": {"media": "abc"}}
    return Provenance(**(fields | changes))


def make(store: ArtifactStore, content: str = "frames", made_by: Provenance | None = None) -> Artifact:
    made_by = made_by or provenance()
    with store.draft(made_by) as draft:
        (draft.folder / "deep").mkdir()
        (draft.folder / "deep/data.bin").write_text(content)
        (draft.folder / "more.txt").write_text("more")
        draft.facts = {"rows": 3}
    found = store.find(made_by)
    assert found is not None
    return found


@pytest.fixture
def store(tmp_path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


def test_what_was_made_is_found_whole(store):
    assert store.find(provenance()) is None
    artifact = make(store)

    folder = store.path(artifact)
    assert folder == store.root / "frames" / provenance().key
    assert (folder / "deep/data.bin").read_text() == "frames"
    assert artifact.facts == {"rows": 3}
    record = read_record(folder)
    assert record is not None
    assert record.files["deep/data.bin"].sha256 == hashlib.sha256(b"frames").hexdigest()
    assert (record.settings, record.inputs, record.code) == ({"count": 8}, {"media": "abc"}, "c0de")


@pytest.mark.parametrize(
    "changes",
    [{"step": "dataset"}, {"code": "other"}, {"settings": {"count": 9}}, {"inputs": {"media": "abd"}}, {"inputs": {}}],
)
def test_another_provenance_is_another_artifact(changes, store):
    make(store)
    assert store.find(provenance(**changes)) is None


def test_equal_content_has_equal_digests_whatever_it_came_from(store):
    other = provenance(code="other")
    assert make(store).digest == make(store, made_by=other).digest
    assert make(store, "else", provenance(code="third")).digest != make(store).digest


def test_the_reference_is_small_json_and_names_no_folder(store):
    artifact = make(store)
    text = artifact.model_dump_json()
    assert Artifact.model_validate_json(text) == artifact
    assert str(store.root) not in text
    assert len(text) < 300


def test_the_store_may_be_moved(store, tmp_path):
    artifact = make(store)
    moved = ArtifactStore(store.root.rename(tmp_path / "elsewhere"))
    assert moved.find(provenance()) == artifact


def test_a_failure_in_the_block_leaves_nothing(store):
    def fail() -> None:
        with store.draft(provenance()) as draft:
            (draft.folder / "half").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.find(provenance()) is None
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_killed_writer_leaves_nothing_that_is_found(store):
    script = """
import os, sys
from pathlib import Path
from videoguard.artifacts import ArtifactStore, Provenance
with ArtifactStore(Path(sys.argv[1])).draft(Provenance.model_validate_json(sys.argv[2])) as draft:
    (draft.folder / "half").write_text("half")
    os._exit(9)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(store.root), provenance().model_dump_json()], check=False)
    assert ended.returncode == 9
    assert store.find(provenance()) is None
    assert make(store).facts == {"rows": 3}


def _flip_a_byte(folder: Path) -> None:
    (folder / "deep/data.bin").write_text("Frames")


def _grow(folder: Path) -> None:
    with (folder / "more.txt").open("a") as file:
        file.write("!")


def _lose_a_file(folder: Path) -> None:
    (folder / "more.txt").unlink()


def _put_a_folder_in_place_of_a_file(folder: Path) -> None:
    (folder / "more.txt").unlink()
    (folder / "more.txt").mkdir()


def _lose_the_record(folder: Path) -> None:
    (folder / RECORD).unlink()


def _cut_the_record(folder: Path) -> None:
    (folder / RECORD).write_text((folder / RECORD).read_text()[:100])


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        _flip_a_byte,
        _grow,
        _lose_a_file,
        _put_a_folder_in_place_of_a_file,
        _lose_the_record,
        _cut_the_record,
        _empty,
        shutil.rmtree,
    ],
)
def test_a_damaged_artifact_is_not_found_and_is_made_again(damage, store):
    artifact = make(store)
    damage(store.path(artifact))
    assert store.find(provenance()) is None

    assert make(store) == artifact
    assert [path.name for path in (store.root / "frames").iterdir()] == [artifact.key]


def test_of_two_writers_at_once_both_succeed_and_the_first_stays(store):
    both_write = threading.Barrier(2)
    found: dict[str, Artifact | None] = {}

    def write(name: str) -> None:
        with store.draft(provenance()) as draft:
            (draft.folder / "data").write_text("the same")
            draft.facts = {"writer": name}
            both_write.wait(10)
        found[name] = store.find(provenance())

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["a"] == found["b"] == store.find(provenance())
    assert len(list((store.root / "frames").iterdir())) == 1


def test_a_whole_artifact_is_never_replaced(store):
    first = make(store, "first")
    assert make(store, "second") == first
    assert (store.path(first) / "deep/data.bin").read_text() == "first"


def test_the_key_does_not_depend_on_the_order_of_settings():
    one = provenance(settings={"a": 1, "b": {"c": 2, "d": 3}}, inputs={"x": "1", "y": "2"})
    other = provenance(settings={"b": {"d": 3, "c": 2}, "a": 1}, inputs={"y": "2", "x": "1"})
    assert one.key == other.key
    assert len(one.key) == 32


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=6), st.randoms())
def test_digest_of_json_does_not_depend_on_the_order_of_keys(value, chance):
    assert digest_json(value) == digest_json(_shuffled(value, chance))
    assert digest_json(value) == digest_json(json.loads(json.dumps(value)))


@given(JSON, JSON)
def test_digests_of_json_are_equal_where_the_text_is(first, second):
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (digest_json(first) == digest_json(second)) == same


def _shuffled(value: Any, chance: Any) -> Any:
    if isinstance(value, list):
        return [_shuffled(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    items = list(value.items())
    chance.shuffle(items)
    return {key: _shuffled(item, chance) for key, item in items}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package in another place."""
    source = Path(videoguard.__file__).parent
    shutil.copytree(source, tmp_path / "elsewhere/videoguard", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "elsewhere"


def digest_in(checkout: Path, *modules: str) -> str:
    script = "import sys; from videoguard.artifacts import digest_source; print(digest_source(sys.argv[1:]))"
    printed = subprocess.run(
        [sys.executable, "-c", script, *modules], cwd=checkout, capture_output=True, text=True, check=True
    ).stdout
    return printed.strip()


def test_the_fingerprint_of_source_does_not_depend_on_where_the_checkout_is(checkout):
    assert digest_in(checkout, "frames", "config.py") == digest_source(["config.py", "frames"])


def test_the_fingerprint_of_source_changes_with_a_file_of_it_and_with_no_other(checkout):
    before = digest_in(checkout, "frames")
    with (checkout / "videoguard/dataset/splits.py").open("a") as file:
        file.write("\n# changed\n")
    (checkout / "videoguard/frames/notes.txt").write_text("no source")
    assert digest_in(checkout, "frames") == before
    with (checkout / "videoguard/frames/sampling.py").open("a") as file:
        file.write("\n# changed\n")
    changed = digest_in(checkout, "frames")
    assert changed != before
    (checkout / "videoguard/frames/added.py").touch()
    assert digest_in(checkout, "frames") not in {before, changed}


def test_a_source_that_does_not_exist_has_no_fingerprint():
    with pytest.raises(FileNotFoundError):
        digest_source(["frames", "no_such_module.py"])
