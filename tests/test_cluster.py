"""What a cluster and its workers are held to; workers at work: tests/tasks/test_cluster.py."""

import multiprocessing
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from distributed.client import FutureCancelledError

from videoguard import cluster
from videoguard.artifacts.shared import SharedStore
from videoguard.cluster import (
    Needs,
    WorkerReport,
    check_cluster,
    check_runner,
    examine_cluster,
    find_unreadable,
    look_at_files,
    program,
)
from videoguard.config import ExecutionSection
from videoguard.doctor import examine_workers
from videoguard.errors import UnavailableError, UserError
from videoguard.revision import package_versions


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A scheduler with one worker, which lives in this process."""
    folder = str(tmp_path_factory.mktemp("dask"))
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0", local_directory=folder
    ) as found:
        yield found.scheduler_address


@pytest.fixture
def needs(tmp_path) -> Iterator[Needs]:
    """What this process has."""
    store = SharedStore(str(tmp_path / "team"))
    with store.mark() as mark:
        yield Needs(
            code=program(),
            packages={**package_versions(), "distributed": version("distributed")},
            state=tmp_path / "state",
            store=store.url,
            mark=mark,
        )


def problems(needs: Needs, **changes: object) -> list[str]:
    return list(cluster._examine(needs.model_copy(update=changes)).problems)


def test_a_worker_that_has_all_is_free_of_problems_and_leaves_nothing_in_the_store(tmp_path, address):
    (report,) = examine_cluster(address, str(tmp_path / "team"), tmp_path / "state")
    assert report.problems == ()
    assert report.state == str(tmp_path / "state")
    assert list((tmp_path / "team").iterdir()) == []


def test_another_code_is_named(needs):
    assert problems(needs, code="0" * 64) == [
        "its code of video-guard is another one: bring it to the same revision and start the worker again"
    ]


def test_other_packages_are_named_and_another_build_of_the_same_is_none(needs):
    built = {**needs.packages, "torch": needs.packages["torch"].partition("+")[0] + "+cu999"}
    assert problems(needs, packages=built) == []
    assert problems(needs, packages={**needs.packages, "av": "1.0"}) == [
        f"it has av {version('av')} instead of 1.0: install both machines from the same requirements.lock"
    ]
    minor = needs.packages["python"].rpartition(".")[0]
    assert problems(needs, packages={**needs.packages, "python": f"{minor}.99"}) == []
    assert len(problems(needs, packages={**needs.packages, "python": "3.99.1"})) == 1


def test_a_state_folder_that_cannot_be_made_is_named(needs, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (problem,) = problems(needs, state=tmp_path / "file/state")
    assert problem.startswith(f"the state folder {tmp_path}/file/state cannot be made")


def test_a_folder_that_is_not_the_shared_one_is_named(needs, tmp_path):
    """As where the folder of the store is not mounted on a machine: it would be made there, and be empty."""
    (problem,) = problems(needs, store=str(tmp_path / "own"))
    assert problem == (
        f"what is at {tmp_path}/own there is another store: mount the same folder on all machines, or take an S3 address"
    )
    (problem,) = problems(needs, store="nosuch://bucket")
    assert problem.startswith("execution.store is nosuch://bucket")


def test_a_prefect_server_that_is_not_reached_is_named(needs):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        api = f"http://127.0.0.1:{closed.getsockname()[1]}/api"
    (problem,) = problems(needs, api=api)
    assert problem.startswith(f"it does not reach Prefect's server at {api} (")
    assert "PREFECT_API_URL" in problem


def _tell(told: "multiprocessing.SimpleQueue[list[str]]") -> None:
    told.put(list(cluster._can_start_processes()))


def test_a_process_that_may_start_no_other_is_named():
    """As Dask's nanny starts its worker, unless it is told not to."""
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    for daemon in (False, True):
        child = context.Process(target=_tell, args=(told,), daemon=daemon)
        child.start()
        child.join()
    assert told.get() == []
    assert "DASK_DISTRIBUTED__WORKER__DAEMON=false" in told.get()[0]


def test_what_a_worker_lacks_is_told_with_its_name(tmp_path, address, monkeypatch):
    monkeypatch.setattr(cluster, "package_versions", lambda: {**package_versions(), "av": "1.0"})
    (tmp_path / "file").write_text("in the way")
    execution = ExecutionSection(runner="dask", address=address, store=str(tmp_path / "team"), state=tmp_path / "file/state")
    with pytest.raises(
        UserError, match=rf"execution.address is {address}: worker .* on .*: the state folder .* cannot be made"
    ):
        check_cluster(execution, api=None)


def test_a_worker_that_cannot_read_the_question_is_told(monkeypatch):
    report = cluster._report("gpu-2", "tcp://10.0.0.2:1", ModuleNotFoundError("No module named 'videoguard.cluster'"))
    assert report == WorkerReport(
        name="worker gpu-2 (tcp://10.0.0.2:1)",
        problems=(
            "it cannot answer (ModuleNotFoundError: No module named 'videoguard.cluster'); "
            "install the same video-guard there",
        ),
    )


def test_files_are_looked_at_by_path_and_size(tmp_path, address):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"frames")
    assert look_at_files({str(clip): 6}) is None
    assert look_at_files({str(clip): 7}) == (
        f"{clip} has 6 bytes there and 7 here: it must be the same file on all machines"
    )
    with Client(address, set_as_default=False) as client:
        assert find_unreadable(client, {str(clip): 6}) == {}
        (told,) = find_unreadable(client, {str(tmp_path / "absent"): 6}).values()
    assert (
        told
        == f"it cannot read {tmp_path}/absent (No such file or directory): videos must have the same path on all machines"
    )


def test_a_scheduler_that_does_not_answer_and_one_without_workers_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.5)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(UserError, match=f"execution.address is {nobody}: no scheduler answers there"):
        examine_cluster(nobody, str(tmp_path), tmp_path)
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as empty,
        pytest.raises(UserError, match="the scheduler has no workers; start some with `dask worker tcp://"),
    ):
        examine_cluster(empty.scheduler_address, str(tmp_path), tmp_path)


def test_a_runner_that_lacks_something_is_refused(monkeypatch, tmp_path):
    for name in ("VIDEO_GUARD_CLUSTER", "VIDEO_GUARD_STORE"):
        monkeypatch.delenv(name, raising=False)
    check_runner(ExecutionSection())
    address = "tcp://10.0.0.1:8786"
    with pytest.raises(
        UserError, match=r"no scheduler is named: set execution\.address or the variable VIDEO_GUARD_CLUSTER"
    ):
        check_runner(ExecutionSection(runner="dask", store=str(tmp_path)))
    with pytest.raises(UserError, match=r"there is no shared store.*execution\.store or the variable VIDEO_GUARD_STORE"):
        check_runner(ExecutionSection(runner="dask", address=address))
    check_runner(ExecutionSection(runner="dask", address=address, store=str(tmp_path)))
    monkeypatch.setenv("VIDEO_GUARD_CLUSTER", "10.0.0.1")
    with pytest.raises(UserError, match=r"VIDEO_GUARD_CLUSTER: 10.0.0.1 is no address of a scheduler"):
        check_runner(ExecutionSection(runner="dask", store=str(tmp_path)))
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"not installed: install it with pip install 'video-guard\[dask\]'"):
        check_runner(ExecutionSection(runner="dask", address=address, store=str(tmp_path)))


def test_a_lost_scheduler_is_told_in_words(address, tmp_path, monkeypatch):
    from tasks.cluster import helped_by

    monkeypatch.setattr("tasks.cluster.check_cluster", lambda execution, api: None)
    execution = ExecutionSection(runner="dask", address=address, store=str(tmp_path))
    lost = FutureCancelledError("answer_shard-1", reason="scheduler-connection-lost")
    with pytest.raises(UnavailableError, match=f"the cluster at {address}: .*; run again"), helped_by(execution):
        raise lost


def test_the_doctor_examines_the_workers(address, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDEO_GUARD_STORE", str(tmp_path / "team"))
    (found,) = examine_workers(Path(tmp_path / "state"), address)
    assert (found.status, found.found) == ("ok", f"its state folder is {tmp_path / 'state'}")
    assert found.name.startswith("worker ")
    monkeypatch.delenv("VIDEO_GUARD_STORE")
    (found,) = examine_workers(Path(tmp_path / "state"), address)
    assert found.status == "missing"
    assert "there is no shared store" in found.mend
    (found,) = examine_workers(Path(tmp_path / "state"), "team")
    assert "no address of a scheduler" in found.mend
