import logging
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videoguard.artifacts import verification
from videoguard.artifacts.records import RECORD, Artifact, Provenance, write_record
from videoguard.artifacts.store import ArtifactStore, Draft
from videoguard.artifacts.verification import note_path
from videoguard.digests import digest_file

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def visible(store: ArtifactStore) -> list[str]:
    """Everything under final names."""
    return sorted(path.relative_to(store.root).as_posix() for path in store.root.glob("[!.]*/[!.]*"))


def hidden(store: ArtifactStore, step: str = "frames") -> list[str]:
    """What lies beside the artifacts of a step, but for the notes of verified files."""
    return sorted(path.name for path in (store.root / step).glob(".*") if path.suffix != ".verified")


def flip(file: Path, position: int = 3) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def test_what_was_drafted_is_found_with_its_files_facts_and_origin(store, provenance, make):
    assert store.find(provenance) is None
    artifact = make(store, provenance)
    assert store.find(provenance) == artifact
    assert artifact.facts == {"frames": 3}
    folder = store.path(artifact)
    assert (folder / "shard.parquet").read_bytes() == b"frame after frame"
    assert (folder / "sub" / "index.json").read_text() == "{}"
    (record,) = store.records()
    assert (record.settings, record.inputs, record.code) == (provenance.settings, provenance.inputs, provenance.code)
    assert record.artifact == artifact
    # 17 bytes and 2.
    assert record.size == 19
    assert visible(store) == [f"frames/{provenance.key}"]
    assert hidden(store) == []


def test_an_artifact_is_as_private_as_the_user_wants_new_files_to_be(store, provenance, make):
    before = os.umask(0o077)
    try:
        folder = store.path(make(store, provenance))
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_error_in_the_block_leaves_nothing_but_the_work_to_go_on_from(store, provenance):
    def fill_half(draft: Draft) -> None:
        (draft.folder / "half").write_bytes(b"half")
        draft.work.mkdir(parents=True)
        (draft.work / "checkpoint").write_text("step 3")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"), store.draft(provenance) as draft:
        fill_half(draft)
    assert store.find(provenance) is None
    assert (visible(store), hidden(store)) == ([], [])
    with store.draft(provenance) as draft:
        assert (draft.work / "checkpoint").read_text() == "step 3"
    assert not draft.work.exists()


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda folder: flip(folder / "shard.parquet"), "shard.parquet has other bytes than were written"),
        (lambda folder: os.truncate(folder / "shard.parquet", 5), "shard.parquet has 5 bytes, 17 were written"),
        (lambda folder: (folder / "sub" / "index.json").unlink(), "sub/index.json is missing"),
        (lambda folder: (folder / RECORD).unlink(), f"{RECORD} is missing or not as it was written"),
        (lambda folder: os.truncate(folder / RECORD, 40), f"{RECORD} is missing or not as it was written"),
        (lambda folder: (folder / RECORD).write_bytes(b"\xff\xfe"), f"{RECORD} is missing or not as it was written"),
    ],
)
def test_damage_is_noticed_named_and_replaced(store, provenance, make, caplog, harm, named):
    artifact = make(store, provenance)
    harm(store.path(artifact))
    with caplog.at_level(logging.WARNING):
        assert store.find(provenance) is None
    assert f"artifact frames/{provenance.key} is damaged: {named}" in caplog.text
    caplog.clear()
    assert make(store, provenance).digest == artifact.digest
    assert caplog.text == ""
    assert hidden(store) == []


def test_a_changed_fact_in_the_record_is_damage(store, provenance, make, caplog):
    record = store.path(make(store, provenance)) / RECORD
    record.write_text(record.read_text().replace('"frames": 3', '"frames": 4'))
    assert store.find(provenance) is None
    assert RECORD in caplog.text


def test_a_copy_under_the_name_of_another_artifact_is_damage(store, provenance, make, caplog):
    other = provenance.model_copy(update={"code": "newer"})
    store.path(make(store, provenance)).rename(store.root / "frames" / other.key)
    assert store.find(other) is None
    assert f"{RECORD} is that of frames/{provenance.key}" in caplog.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_flipped_bit_passes_for_the_artifact(store, provenance, make, data):
    artifact = store.find(provenance) or make(store, provenance)
    folder = store.path(artifact)
    file = folder / data.draw(st.sampled_from(["shard.parquet", "sub/index.json", RECORD]))
    whole = file.read_bytes()
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    harmed = bytearray(whole)
    harmed[bit // 8] ^= 1 << bit % 8
    file.write_bytes(harmed)
    # A bit of the record may turn `e` into `E` in a number: then it says the same as before.
    assert store.find(provenance) in ((None, artifact) if file.name == RECORD else (None,))
    file.write_bytes(whole)


def test_a_damaged_note_or_one_of_other_content_vouches_for_nothing(store, provenance, make):
    artifact = make(store, provenance)
    folder = store.path(artifact)
    flip(folder / "shard.parquet")
    for note in (b"\xff", b"[]", b"{}", b'{"digest": "other", "files": {}}'):
        note_path(folder).write_bytes(note)
        assert store.find(provenance) is None
    flip(folder / "shard.parquet")
    assert store.find(provenance) == artifact


def test_a_note_does_not_vouch_for_what_another_record_says(store, provenance, make):
    folder = store.path(make(store, provenance))
    let_time_pass(folder)
    (record,) = store.records()
    shard = record.files["shard.parquet"].model_copy(update={"sha256": "0" * 64})
    write_record(folder, record.model_copy(update={"files": {**record.files, "shard.parquet": shard}, "digest": "other"}))
    assert store.find(provenance) is None


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose digests are computed to verify an artifact."""
    names: list[str] = []

    def noting(path: Path) -> str:
        names.append(path.name)
        return digest_file(path)

    monkeypatch.setattr(verification, "digest_file", noting)
    return names


def test_files_are_read_once_and_again_only_when_they_change(store, provenance, make, read_files):
    folder = store.path(make(store, provenance))
    let_time_pass(folder)
    read_files.clear()
    assert store.find(provenance) is not None
    assert read_files == []
    (folder / "sub" / "index.json").write_text("{}")
    assert store.find(provenance) is not None
    assert read_files == ["index.json"]


def test_a_file_written_in_the_clock_tick_of_the_note_is_read_again(store, provenance, make, read_files):
    folder = store.path(make(store, provenance))
    newest = max((folder / name).stat().st_ctime_ns for name in ("shard.parquet", "sub/index.json"))
    os.utime(note_path(folder), ns=(newest, newest))
    read_files.clear()
    assert store.find(provenance) is not None
    assert sorted(read_files) == ["index.json", "shard.parquet"]


def test_an_edit_that_keeps_size_and_modification_time_is_noticed(store, provenance, make):
    folder = store.path(make(store, provenance))
    let_time_pass(folder)
    assert store.find(provenance) is not None
    file = folder / "shard.parquet"
    known = file.stat()
    flip(file)
    os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert file.stat().st_mtime_ns == known.st_mtime_ns
    assert store.find(provenance) is None


def let_time_pass(folder: Path) -> None:
    """The note of verified files is a second older than the files, as it is after any real work."""
    note = note_path(folder)
    later = note.stat().st_mtime_ns + 10**9
    os.utime(note, ns=(later, later))


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=5), st.dictionaries(st.text(max_size=6), st.text(), max_size=4))
def test_the_key_does_not_depend_on_the_order_of_settings_and_inputs(values, inputs):
    key = Provenance(step="frames", code="c", settings=values, inputs=inputs).key
    turned = Provenance(
        step="frames", code="c", settings=dict(reversed(values.items())), inputs=dict(reversed(inputs.items()))
    )
    assert turned.key == key
    assert re.fullmatch("[0-9a-f]{32}", key)


@pytest.mark.parametrize(
    "change",
    [{"step": "dataset"}, {"code": "newer"}, {"settings": {"count": 9, "codec": "png"}}, {"inputs": {"media": "d2"}}],
)
def test_the_key_depends_on_step_code_settings_and_inputs(provenance, change):
    assert provenance.model_copy(update=change).key != provenance.key


def test_the_key_does_not_depend_on_the_parents_which_are_recorded(store, provenance, make):
    parent = make(store, provenance)
    child = Provenance(step="dataset", code="c", settings={}, inputs={"frames": parent.digest})
    named = child.model_copy(update={"parents": (parent,)})
    assert named.key == child.key
    make(store, named)
    assert store.records()[-1].parents == {f"frames/{parent.key}": parent.digest}


def test_equal_content_has_equal_key_and_digest_in_every_store(tmp_path, provenance, make):
    first = make(ArtifactStore(tmp_path / "here"), provenance)
    second = make(ArtifactStore(tmp_path / "there" / "deep"), provenance)
    assert (first.key, first.digest) == (second.key, second.digest)


def test_a_file_below_the_top_may_be_called_as_the_record_is(store, provenance):
    with store.draft(provenance) as draft:
        (draft.folder / "model").mkdir()
        (draft.folder / "model" / RECORD).write_text("a model's own")
    (record,) = store.records()
    assert set(record.files) == {f"model/{RECORD}"}


@pytest.mark.parametrize("name", [RECORD, "link"])
def test_links_and_a_record_of_its_own_are_refused(store, provenance, tmp_path, name):
    (tmp_path / "elsewhere").write_text("elsewhere")
    write = Path.symlink_to if name == "link" else Path.hardlink_to
    with pytest.raises(ValueError, match=name), store.draft(provenance) as draft:
        write(draft.folder / name, tmp_path / "elsewhere")
    assert visible(store) == []


def test_the_path_of_an_artifact_that_is_gone_says_so(store, provenance, make):
    artifact = make(store, provenance)
    assert store.remove(artifact.step, artifact.key)
    assert store.find(provenance) is None
    with pytest.raises(FileNotFoundError, match=f"artifact frames/{artifact.key} is gone from .*run again"):
        store.path(artifact)


def test_steps_and_keys_cannot_lead_out_of_the_store():
    for step, key in (("../frames", "0" * 32), ("frames", "../" + "0" * 29), (".frames", "0" * 32)):
        with pytest.raises(ValueError, match="should match pattern"):
            Artifact.model_validate(
                {"step": step, "key": key, "digest": "", "created": "2026-01-01T00:00:00Z", "seconds": 0}
            )
