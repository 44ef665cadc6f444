import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import fsspec
import pytest
from typer.testing import CliRunner, Result

from commands.main import app
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import ArtifactStore
from videoguard.errors import UserError
from videoguard.inference.row_store import RowStore
from videoguard.inference.rows import AnswerRow

AT_WORK = """
import sys
from pathlib import Path
from videoguard.artifacts.records import Provenance
from videoguard.artifacts.store import ArtifactStore
with ArtifactStore(Path(sys.argv[1])).draft(Provenance(step="training", code="c", settings={}, inputs={})) as draft:
    (draft.folder / "half").write_bytes(bytes(1000))
    draft.work.mkdir(parents=True)
    (draft.work / "checkpoint").write_bytes(bytes(3000))
    print("at work", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "state" / "artifacts")


@pytest.fixture
def run(store: ArtifactStore) -> list[Artifact]:
    """Frames of 2 kB, an adapter of 1 kB that nothing came from, and the report of the frames."""
    frames = make(store, "frames", 2000)
    adapter = make(store, "training", 1000, frames)
    report = make(store, "report", 10, frames)
    return [frames, adapter, report]


def make(store: ArtifactStore, step: str, size: int, *parents: Artifact) -> Artifact:
    provenance = Provenance(
        step=step,
        code="c0de",
        settings={"rank": 16},
        inputs={parent.step: parent.digest for parent in parents},
        parents=parents,
    )
    with store.draft(provenance) as draft:
        (draft.folder / "content").write_bytes(bytes(size))
        draft.facts = {"bytes": size}
    found = store.find(provenance)
    assert found is not None
    return found


@pytest.fixture
def call(store: ArtifactStore):
    """Runs `video-guard artifacts …` on the store."""

    def run_command(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(
            app, ["artifacts", arguments[0], "--state", str(store.root.parent), *arguments[1:]], env={"COLUMNS": "160"}
        )
        if isinstance(result.exception, UserError):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run_command


@pytest.fixture
def killed(store: ArtifactStore) -> Iterator["subprocess.Popen[str]"]:
    """A process at work on an adapter; a test may kill it."""
    process = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, store.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


def kept(store: ArtifactStore) -> list[str]:
    return [record.step for record in store.records()]


def test_ls_lists_every_artifact_with_its_size_and_uses(run, call):
    lines = call("ls").stdout.splitlines()
    assert lines[0].split() == ["step", "key", "created", "size", "files", "seconds", "used", "by"]
    frames = lines[1].split()
    assert frames[:2] == ["frames", run[0].key[:12]]
    assert frames[4:7] == ["2.0", "kB", "1"]
    # The adapter and the report were made from it.
    assert frames[-1] == "2"
    assert lines[-1] == "3 artifacts, 3.0 kB"


def test_ls_of_one_step_as_json(run, call):
    listed = json.loads(call("ls", "--step", "training", "--json").stdout)
    (adapter,) = listed["artifacts"]
    assert (adapter["key"], adapter["bytes"], adapter["files"], adapter["used_by"]) == (run[1].key, 1000, 1, 0)
    assert listed["leftovers"] == []


def test_ls_of_an_empty_state_makes_nothing(call, store):
    assert call("ls").stdout == "0 artifacts, 0 bytes\n"
    assert not store.root.parent.exists()


def test_ls_counts_what_a_killed_process_left(run, call, killed):
    assert "leftovers" not in call("ls").stdout
    killed.kill()
    killed.wait()
    assert call("ls").stdout.splitlines()[-1] == "2 leftovers of killed processes, 4.0 kB: see artifacts gc"


def test_show_tells_what_made_it_what_it_holds_and_what_came_from_it(run, call):
    frames, adapter, report = run
    shown = json.loads(call("show", frames.key[:8], "--json").stdout)
    assert shown["settings"] == {"rank": 16}
    assert shown["files"]["content"]["size"] == 2000
    assert shown["damage"] is None
    assert shown["used_by"] == [f"training/{adapter.key}", f"report/{report.key}"]
    text = call("show", f"training/{adapter.key}").stdout
    for part in (
        f"training/{adapter.key}",
        "whole",
        "c0de",
        '"rank": 16',
        f"frames/{frames.key}",
        "content, 1.0 kB",
        '"bytes": 1000',
    ):
        assert part in text


def test_show_names_the_damage_and_exits_with_1(run, call, store):
    (store.path(run[0]) / "content").write_bytes(bytes(1999))
    damage = "content has 1,999 bytes, 2,000 were written"
    assert f"damaged: {damage}" in call("show", run[0].key, status=1).stdout
    assert json.loads(call("show", run[0].key, "--json", status=1).stdout)["damage"] == damage


def test_show_refuses_unknown_and_ambiguous_keys(run, call):
    with pytest.raises(UserError, match="no artifact's key begins with zz: `video-guard artifacts ls`"):
        call("show", "zz")
    with pytest.raises(UserError, match=f"3 artifacts' keys begin with : give more digits of one of frames/{run[0].key}, "):
        call("show", "")


def test_gc_removes_nothing_without_yes(run, call, store):
    text = call("gc", "--unreachable").stdout
    assert text.splitlines()[-1] == "would remove 1 of 1.0 kB; nothing is removed without --yes"
    assert f"training/{run[1].key[:12]}  no finished run" in text
    assert kept(store) == ["frames", "training", "report"]


def test_gc_removes_what_no_finished_run_came_from(run, call, store):
    assert call("gc", "--unreachable", "--yes").stdout.splitlines()[-1] == "removed 1 of 1.0 kB"
    assert kept(store) == ["frames", "report"]
    assert sorted(path.name for path in (store.root / "training").iterdir()) == []


def test_gc_keeps_to_a_size_and_an_age(run, call, store):
    listed = json.loads(call("gc", "--older-than", "1h", "--keep-size", "1.5kB", "--json", "--yes").stdout)
    assert [(entry["step"], entry["reason"]) for entry in listed["artifacts"]] == [("frames", "size")]
    assert listed["removed"]
    assert kept(store) == ["training", "report"]
    call("gc", "--older-than", "0h", "--yes")
    assert kept(store) == []


@pytest.fixture
def answers(store: ArtifactStore) -> RowStore:
    """Three answers, of which the first was made two days ago."""
    rows = RowStore(store.root.parent / "rows.db")
    for number, name in enumerate("abc"):
        said = {"id": name, "video": None, "group": name, "label": None, "question": "?", "reference": ""}
        rows.add({f"{number}": AnswerRow(**said, status="ok", answer="squat")})
    with closing(sqlite3.connect(store.root.parent / "rows.db")) as database, database:
        database.execute("UPDATE answers SET made = made - 2 * 86400 WHERE key = '0'")
    return rows


def test_gc_trims_stored_answers_by_age_alone(run, call, answers):
    assert answers.count().number == 3
    last = call("gc", "--unreachable", "--unfinished", "--yes").stdout.splitlines()[-1]
    assert last.startswith("rows.db: 3 answers of ")
    assert last.endswith("removed 0 of 0 bytes")
    last = call("gc", "--older-than", "1d").stdout.splitlines()[-1]
    assert ", would remove 1 of " in last
    assert answers.count().number == 3
    told = json.loads(call("gc", "--older-than", "1d", "--yes", "--json").stdout)["answers"]
    assert (told["stored"], told["going"]) == (3, 1)
    assert told["stored_bytes"] == 3 * told["going_bytes"] > 0
    assert answers.find("012").keys() == {"1", "2"}


def test_gc_gives_the_room_of_answers_back(call, answers, store):
    path = store.root.parent / "rows.db"
    said = {"id": "d", "video": None, "group": "d", "label": None, "question": "?", "reference": ""}
    answers.add({"d": AnswerRow(**said, status="ok", answer="squat " * 100_000)})
    call("gc", "--older-than", "0h", "--yes")
    assert path.stat().st_size < 50_000
    assert answers.count().number == 0


def test_gc_keeps_answers_while_a_run_is_at_work(run, call, killed, answers):
    assert json.loads(call("gc", "--older-than", "1d", "--yes", "--json").stdout)["answers"]["going"] == 0
    assert answers.count().number == 3


def test_gc_makes_no_row_store_where_there_is_none(run, call, store):
    assert json.loads(call("gc", "--older-than", "1d", "--yes", "--json").stdout)["answers"] is None
    assert not (store.root.parent / "rows.db").exists()


def test_gc_leaves_a_running_process_alone_and_what_it_may_read(run, call, killed, store):
    text = call("gc", "--older-than", "0d", "--unfinished", "--yes").stdout
    assert text.splitlines()[0] == "removed 0 of 0 bytes"
    assert "artifacts stay while a run is at work on training/" in text
    assert len(kept(store)) == 3


def test_gc_clears_drafts_and_keeps_work_to_go_on_from_until_it_is_asked_for(call, killed, store):
    killed.kill()
    killed.wait()
    assert call("gc", "--yes").stdout.splitlines()[-1] == "removed 1 of 1.0 kB"
    assert [leftover.kind for leftover in store.leftovers()] == ["work"]
    assert call("gc", "--unfinished", "--yes").stdout.splitlines()[-1] == "removed 1 of 3.0 kB"
    assert store.leftovers() == []


def test_gc_clears_what_has_no_readable_record(run, call, store):
    (store.path(run[0]) / "artifact.json").write_text("{")
    listed = json.loads(call("gc", "--yes", "--json").stdout)
    assert [entry["kind"] for entry in listed["leftovers"]] == ["damaged"]
    assert kept(store) == ["training", "report"]


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("--older-than", "30", "hours, days or weeks"),
        ("--older-than", "-3d", "hours, days or weeks"),
        ("--keep-size", "20 apples", "500MB or 20GB"),
    ],
)
def test_gc_refuses_what_is_not_an_age_or_a_size(call, option, value, rule):
    with pytest.raises(UserError, match=f"{option} is {value}: .*{rule}"):
        call("gc", option, value)


def test_a_shared_store_is_looked_at_and_cleared_in_place_of_the_state_folder(tmp_path, call, store):
    team = str(tmp_path / "team")
    artifact = make(ArtifactStore(store.root, team), "frames", 2000)
    listed = json.loads(call("ls", "--store", team, "--json").stdout)
    assert [entry["key"] for entry in listed["artifacts"]] == [artifact.key]
    assert json.loads(call("show", artifact.key, "--store", team, "--json").stdout)["damage"] is None
    call("gc", "--older-than", "0h", "--yes", "--store", team)
    assert json.loads(call("ls", "--store", team, "--json").stdout)["artifacts"] == []
    assert kept(store) == ["frames"]


def test_a_shared_store_that_does_not_answer_is_refused(call, monkeypatch):
    file_system = fsspec.get_filesystem_class("s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "team")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    file_system.clear_instance_cache()
    with pytest.raises(UserError, match=r"--store is s3://team/x: .*127\.0\.0\.1:9"):
        call("ls", "--store", "s3://team/x")
    file_system.clear_instance_cache()


@pytest.mark.parametrize("command", ["ls", "show", "gc"])
def test_every_command_has_an_example(command):
    assert f"Example: video-guard artifacts {command}" in CliRunner().invoke(app, ["artifacts", command, "--help"]).stdout
