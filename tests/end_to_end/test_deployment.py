"""The flow as a deployment, for real: a Prefect server, a process worker, and a run that is ordered from it.

Guards the bound on FastAPI too: with a version that Prefect does not go with, the server does not start or the deployment is
refused.
"""

import subprocess
import time
from pathlib import Path

import pytest
from openpyxl import load_workbook

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quickstart")]


@pytest.fixture
def worker(server):
    """A process worker; it makes the work pool where there is none."""
    log = (server.state / "worker.log").open("w")
    command = ("worker", "start", "--pool", "video-guard", "--type", "process")
    with log, server.start("prefect", *command, stdout=log, stderr=subprocess.STDOUT) as process:
        deadline = time.monotonic() + 60.0
        while not server.ask("work_pools/filter"):
            assert process.poll() is None, Path(log.name).read_text()
            assert time.monotonic() < deadline, Path(log.name).read_text()
            time.sleep(0.2)
        yield Path(log.name)


def test_the_deployment_runs_by_a_worker_and_shares_what_is_stored(server, worker):
    deployed = server.call("prefect", "--no-prompt", "deploy", "--all")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    before = set((server.folder / "reports").iterdir())

    ordered = server.call(
        *("prefect", "--no-prompt", "deployment", "run", "train-eval/video-guard", "--watch"),
        *("--param", 'overrides=["report.title=By the worker"]'),
    )
    assert ordered.returncode == 0, ordered.stdout + ordered.stderr + worker.read_text()
    assert "Completed" in ordered.stdout

    (workbook,) = set((server.folder / "reports").iterdir()) - before
    assert load_workbook(workbook)["Summary"]["A1"].value == "By the worker"
    states = server.last_states()
    assert states["report"] == ["Completed"]
    assert states["training"] == ["Cached"]
    assert states["inference"] == ["Cached", "Cached"]


def test_a_refused_recipe_fails_the_run_with_its_reason(server, worker):
    assert server.call("prefect", "--no-prompt", "deploy", "--all").returncode == 0
    ordered = server.call(
        *("prefect", "--no-prompt", "deployment", "run", "train-eval/video-guard", "--watch"),
        *("--param", 'overrides=["training.epoch=2"]'),
    )
    assert ordered.returncode == 1
    (flow_run,) = server.ask("flow_runs/filter", sort="START_TIME_DESC", limit=1)
    assert flow_run["state"]["type"] == "FAILED"
    assert "training.epoch is not a known key: did you mean epochs?" in flow_run["state"]["message"]


def test_the_server_listens_on_this_machine_alone(server):
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, port = line.split()[1].rsplit(":", 1)
            if int(port, 16) == server.port and line.split()[3] == "0A":
                listening.add(address)
    # 127.0.0.1, as the kernel writes it.
    assert listening == {"0100007F"}
