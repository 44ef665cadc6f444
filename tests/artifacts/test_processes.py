"""Processes that are killed, run at once, or meet a full disk."""

import errno
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from videoguard.artifacts.locks import held_locks, lock_if_free
from videoguard.artifacts.records import Provenance
from videoguard.artifacts.store import ArtifactStore

PROVENANCE = """
import sys
from pathlib import Path
from videoguard.artifacts.records import Provenance
from videoguard.artifacts.store import ArtifactStore
store = ArtifactStore(Path(sys.argv[1]))
provenance = Provenance.model_validate_json(sys.argv[2])
"""

HALF_DONE = (
    PROVENANCE
    + """
with store.draft(provenance) as draft:
    (draft.folder / "half").write_bytes(b"half")
    draft.work.mkdir(parents=True)
    (draft.work / "rows.jsonl").write_text("one row")
    print("at work", flush=True)
    sys.stdin.read()
"""
)

MAKE_ONCE = (
    PROVENANCE
    + """
print("ready", flush=True)
sys.stdin.readline()
with store.lock(provenance):
    if store.find(provenance) is None:
        with store.draft(provenance) as draft:
            with open(sys.argv[3], "a") as made:
                made.write("made\\n")
            (draft.folder / "rows").write_bytes(b"rows" * 250_000)
print(store.find(provenance).digest, flush=True)
"""
)


def begin_half(child, store: ArtifactStore, provenance: Provenance) -> "subprocess.Popen[str]":
    process: subprocess.Popen[str] = child(HALF_DONE, store.root, provenance.model_dump_json())
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_kill_in_a_draft_leaves_no_artifact_and_the_next_goes_on_from_its_work(store, provenance, child):
    kill(begin_half(child, store, provenance))
    assert store.find(provenance) is None
    assert list(store.root.glob("[!.]*/[!.]*")) == []
    assert {leftover.kind for leftover in store.leftovers()} == {"draft", "work"}
    with store.draft(provenance) as draft:
        assert (draft.work / "rows.jsonl").read_text() == "one row"
        assert list(draft.folder.iterdir()) == []
    assert store.find(provenance) is not None
    assert store.leftovers() == []


def test_a_process_at_work_has_no_leftovers_and_cannot_be_removed_from(store, provenance, child):
    process = begin_half(child, store, provenance)
    assert store.busy() == [f"frames/{provenance.key}"]
    assert store.leftovers() == []
    assert not store.remove("frames", provenance.key)
    kill(process)
    assert store.busy() == []
    draft, work = sorted(store.leftovers(), key=lambda leftover: leftover.kind)
    # "half" and "one row"
    assert (draft.size, work.size) == (4, 7)
    assert store.remove_leftover(draft)
    assert store.remove_leftover(work)
    assert store.leftovers() == []


def test_the_lock_of_a_killed_process_is_free(store, provenance, child):
    process = begin_half(child, store, provenance)
    with lock_if_free(store.root, "frames", provenance.key) as free:
        assert not free
    kill(process)
    with lock_if_free(store.root, "frames", provenance.key) as free:
        assert free


def test_two_processes_at_once_make_an_artifact_once(store, provenance, child, tmp_path):
    made = tmp_path / "made"
    both = [child(MAKE_ONCE, store.root, provenance.model_dump_json(), made) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    first, second = (process.stdout.readline() for process in both)
    assert made.read_text() == "made\n"
    assert first == second
    assert len(first.strip()) == 64


def test_a_thread_may_take_its_lock_again_and_another_thread_waits(store, provenance, make):
    order: list[str] = []

    def wait_for_it() -> None:
        with store.lock(provenance):
            order.append("second")

    with store.lock(provenance), ArtifactStore(store.root).lock(provenance):
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        make(store, provenance)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert held_locks(store.root) == []


def test_a_file_size_limit_leaves_nothing_half(store, provenance, child):
    limited = PROVENANCE + (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    with store.draft(provenance) as draft:\n"
        "        (draft.folder / 'small').write_bytes(b'fits')\n"
        "        (draft.folder / 'large').write_bytes(bytes(200_000))\n"
        "except OSError as error:\n"
        "    print(error.errno, flush=True)\n"
    )
    process = child(limited, store.root, provenance.model_dump_json())
    assert process.stdout.readline() == f"{errno.EFBIG}\n"
    assert [path.name for path in store.root.glob("*/*") if path.suffix != ".lock"] == []


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_nothing_half_and_what_is_stored_stays_readable(small_disk, provenance, make):
    store = ArtifactStore(small_disk)
    artifact = make(store, provenance)
    other = provenance.model_copy(update={"code": "newer"})
    with pytest.raises(OSError, match="No space left"), store.draft(other) as draft:
        (draft.folder / "large").write_bytes(bytes(2 << 20))
    assert store.find(other) is None
    assert [path.name for path in (small_disk / "frames").glob("[!.]*")] == [artifact.key]
    # The note of what was verified is to be written anew, and cannot be.
    (small_disk / "frames" / f".{artifact.key}.verified").unlink()
    fill(small_disk / "ballast")
    assert store.find(provenance) == artifact


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            os.fsync(ballast.fileno())
