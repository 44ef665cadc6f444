"""Shards on a real Dask cluster of two workers, each with a working folder and a state folder of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributed import Client
from prefect import flow

from tasks.base_model import find_base_model
from tasks.cluster import helped_by
from tasks.dataset import build_dataset_task
from tasks.evaluation import score_answers
from tasks.frames import store_frames
from tasks.inference import ROWS, answer_all
from tasks.manifest import read_listing_task
from tasks.step import Workplace, start_work
from videoguard.artifacts.records import RECORD, Artifact
from videoguard.cluster import find_unreadable
from videoguard.config import RunConfig
from videoguard.errors import UserError
from videoguard.inference.rows import read_rows
from videoguard.progress import Progress, listening

pytestmark = pytest.mark.slow
CHECKOUT = Path(__file__).parents[2]
START_SECONDS = 120.0


@dataclass
class Cluster:
    """A scheduler, two workers, and the store that they share."""

    folder: Path
    address: str
    processes: dict[str, "subprocess.Popen[bytes]"]

    @property
    def store(self) -> str:
        return str(self.folder / "team")

    def execution(self, state: str) -> dict[str, str]:
        """The section of a recipe."""
        return {"state": state, "runner": "dask", "address": self.address, "store": self.store}

    def holds(self, worker: str, step: str) -> set[str]:
        """Keys of the artifacts in a worker's state folder."""
        return {path.parent.name for path in (self.folder / worker / "state/artifacts" / step).glob("[!.]*/artifact.json")}

    def start(self, name: str, *arguments: str) -> None:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        with (folder / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(Path(sys.executable).with_name("dask")), *arguments, "--no-dashboard"],
                cwd=folder,
                env={**kept, "DASK_DISTRIBUTED__WORKER__DAEMON": "false", "PYTHONPATH": str(CHECKOUT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_worker(self, name: str) -> None:
        self.start(name, "worker", self.address, "--name", name, "--nthreads", "1")

    def kill(self, name: str) -> None:
        """End a process and all that it started at once, as a power cut would."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    @contextmanager
    def client(self) -> "Iterator[Client]":
        """A client that sees both workers."""
        with Client(self.address, timeout=START_SECONDS, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=START_SECONDS)
            yield client


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = Cluster(tmp_path_factory.mktemp("cluster"), f"tcp://127.0.0.1:{port}", {})
    found.start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(port))
    try:
        found.start_worker("one")
        found.start_worker("two")
        with found.client():
            yield found
    finally:
        for name in tuple(found.processes):
            found.kill(name)


@pytest.fixture
def recipe(small_set, tiny_base, tmp_path, prefect_server, monkeypatch) -> Callable[..., RunConfig]:
    """A recipe in a working folder of its own, which names manifest and base by relative paths."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_set.manifest.parent, "data")
    shutil.copytree(tiny_base, "models/tiny")

    def build(**execution: object) -> RunConfig:
        return RunConfig.model_validate(
            {
                "name": "small",
                "data": {"manifest": f"data/{small_set.manifest.name}"},
                "frames": {"count": 2, "max_side": 32, "shards": 3, "workers": 1},
                "dataset": {"validation": 0.0, "test": 0.3},
                "model": {"base": "models/tiny"},
                "evaluation": {"metrics": ["exercise_accuracy", "rouge_l"]},
                "inference": {"batch_size": 4, "max_new_tokens": 4, "shards": 2},
                "execution": execution,
            }
        )

    return build


def answer(config: RunConfig, then: Callable[[], object] = lambda: None) -> tuple[Workplace, list[Artifact]]:
    """Frames, answers and scores of a recipe; `then` is called when the answers have been ordered."""

    @flow(name="answers")
    def answers() -> tuple[Workplace, list[Artifact]]:
        place = start_work(config.execution, [])
        with helped_by(config.execution):
            base = find_base_model(place, config.model, config.seed)
            manifest = read_listing_task(place, config.data)
            frames = store_frames(place, config.data, config.frames, manifest)
            dataset = build_dataset_task(place, config.data, config.dataset, manifest, frames, config.seed)
            ordered = answer_all(place, config, base, None, dataset, frames)
            then()
            assert frames is not None
            answered = ordered.result()
            return place, [*frames.artifacts, *answered, score_answers(place, config, answered)]

    return answers()


def contents(place: Workplace, artifacts: list[Artifact]) -> dict[str, bytes]:
    """Every file, by the name of its artifact and its own; without the time that an answer took, which names the scores."""
    names = [artifact.step if artifact.step == "evaluation" else artifact.name for artifact in artifacts]
    folders = {name: place.path(artifact) for name, artifact in zip(names, artifacts, strict=True)}
    return {
        f"{name}/{file.relative_to(folder)}": re.sub(rb'"latency_s":[^,]+', b"", file.read_bytes())
        for name, folder in folders.items()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != RECORD
    }


def test_two_workers_make_the_artifacts_that_threads_make(cluster, recipe):
    heard: list[Progress] = []
    with listening(heard.append):
        shared = answer(recipe(**cluster.execution("state")))
    own = answer(recipe(state="alone"))
    assert contents(*shared) == contents(*own)

    # Each has done a part, told of it, and keeps a state of its own.
    for step, number in (("frames", 3), ("inference", 2), ("scores", 2)):
        held = [cluster.holds(worker, step) for worker in ("one", "two")]
        assert all(held), step
        assert len(set.union(*held)) == number
    # To score a part, a worker reads the answers of all.
    assert set.isdisjoint(*(cluster.holds(worker, "scores") for worker in ("one", "two")))
    assert {each.part for each in heard if each.step == "answers of the base" and each.done == each.of > 0} == {"0", "1"}
    assert sum(each.of for each in heard if each.step == "frames" and each.done == each.of) == 48


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(cluster, recipe):
    config = recipe(**cluster.execution("state"))
    longer = config.model_copy(update={"inference": config.inference.model_copy(update={"max_new_tokens": 5})})
    begun, parts = threading.Event(), set()

    def listen(progress: Progress) -> None:
        if progress.step == "answers of the base":
            parts.add(progress.part)
        if len(parts) == 2:
            begun.set()

    def kill() -> None:
        assert begun.wait(START_SECONDS)
        cluster.kill("two")

    try:
        with listening(listen):
            place, artifacts = answer(longer, kill)
    finally:
        cluster.start_worker("two")
        with cluster.client():
            pass
    answers = {artifact.key for artifact in artifacts if artifact.step == "inference"}
    assert len(answers) == 2
    assert answers <= cluster.holds("one", "inference")
    rows = [row for artifact in artifacts if artifact.step == "inference" for row in read_rows(place.path(artifact) / ROWS)]
    assert [row.status for row in rows] == ["ok"] * len(rows)
    assert rows


def test_what_is_stored_is_sent_to_no_worker(cluster, recipe, monkeypatch):
    config = recipe(**cluster.execution("state"))
    answer(config)
    # A worker that looked at a file now would say so.
    monkeypatch.setattr("tasks.cluster.find_unreadable", lambda client, sizes: {"a worker": "it was asked"})
    answer(config)


def test_a_worker_that_does_not_see_the_videos_is_named_before_it_works(cluster, recipe, monkeypatch):
    config = recipe(**cluster.execution("state"))
    asked = find_unreadable
    monkeypatch.setattr(
        "tasks.cluster.find_unreadable",
        lambda client, sizes: asked(client, {f"/elsewhere{name}": size for name, size in sizes.items()}),
    )
    other = config.model_copy(update={"frames": config.frames.model_copy(update={"count": 3})})
    with pytest.raises(UserError, match=r"(?s)2 problems.*worker tcp://\S+: it cannot read /elsewhere/.*same path"):
        answer(other)
