"""`video-guard up` for real: both servers, a process worker, the deployments, and a run that is ordered from them.

Guards the bound on FastAPI too: with a version that Prefect does not go with, the server does not start or the deployment is
refused.
"""

import json
import urllib.parse
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quickstart")]


def test_the_deployment_runs_by_a_worker_and_shares_what_is_stored(server):
    before = set((server.folder / "reports").glob("*.xlsx"))

    ordered = server.call(
        *("prefect", "--no-prompt", "deployment", "run", "train-eval/video-guard", "--watch"),
        *("--param", 'overrides=["report.title=By the worker"]'),
    )
    worker = (server.state / "logs/worker.log").read_text()
    assert ordered.returncode == 0, ordered.stdout + ordered.stderr + worker
    assert "Completed" in ordered.stdout

    (workbook,) = set((server.folder / "reports").glob("*.xlsx")) - before
    assert load_workbook(workbook)["Summary"]["A1"].value == "By the worker"
    # The server hears of task runs in the background, also after their flow run has ended.
    wait_until(lambda: server.last_states().get("publish") == ["Completed"])
    states = server.last_states()
    assert states["report"] == ["Completed"]
    assert states["training"] == ["Cached"]
    assert states["inference"] == ["Cached", "Cached"]


def test_a_refused_recipe_fails_the_run_with_its_reason(server):
    ordered = server.call(
        *("prefect", "--no-prompt", "deployment", "run", "train-eval/video-guard", "--watch"),
        *("--param", 'overrides=["training.epoch=2"]'),
    )
    assert ordered.returncode == 1
    (flow_run,) = server.ask("flow_runs/filter", sort="START_TIME_DESC", limit=1)
    assert flow_run["state"]["type"] == "FAILED"
    assert "training.epoch is not a known key: did you mean epochs?" in flow_run["state"]["message"]


def test_the_servers_listen_on_this_machine_alone(server):
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, port = line.split()[1].rsplit(":", 1)
            if int(port, 16) in (server.port, server.mlflow_port) and line.split()[3] == "0A":
                listening.add((address, int(port, 16)))
    # 127.0.0.1, as the kernel writes it.
    assert listening == {("0100007F", server.port), ("0100007F", server.mlflow_port)}


def test_the_pages_show_the_run_and_give_the_workbook_away(server, quickstart):
    run_id = quickstart.summary["run_id"]
    run = _mlflow(server, "runs/get", run_id=run_id)["run"]
    assert {param["key"]: param["value"] for param in run["data"]["params"]}["training.epochs"]
    # Others may have run the recipe again since, and each has its workbook.
    workbook = f"report/{Path(quickstart.summary['workbook']).name}"
    assert workbook in {file["path"] for file in _mlflow(server, "artifacts/list", run_id=run_id, path="report")["files"]}
    pictures = {
        Path(file["path"]).suffix for file in _mlflow(server, "artifacts/list", run_id=run_id, path="frames")["files"]
    }
    assert pictures == {".jpg"}
    # What a click on the file in the page asks for.
    address = f"http://127.0.0.1:{server.mlflow_port}/get-artifact?run_uuid={run_id}&path={urllib.parse.quote(workbook)}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        assert "Results" in load_workbook(BytesIO(answer.read())).sheetnames
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=60) as answer:
        assert b"<title>Prefect Server</title>" in answer.read()


def test_the_status_tells_what_runs_where(server):
    told = server.call("video-guard", "status", "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    facts = json.loads(told.stdout)
    assert facts["prefect"] == f"http://127.0.0.1:{server.port}"
    assert facts["mlflow"] == f"http://127.0.0.1:{server.mlflow_port}"
    assert {service["name"]: service["well"] for service in facts["services"]} == dict.fromkeys(
        ("prefect", "mlflow", "worker"), True
    )
    assert "train-eval/video-guard" in facts["deployments"]


def test_a_second_up_says_that_it_is_up_and_refuses_other_ports(server):
    again = server.call("video-guard", "up")
    assert again.returncode == 0, again.stderr
    assert "It is up already" in again.stdout
    assert f"http://127.0.0.1:{server.mlflow_port}" in again.stdout
    assert "prefect deployment run train-eval/video-guard --watch" in again.stdout

    other = server.call("video-guard", "up", "--prefect-port", "4999")
    assert other.returncode == 2
    assert "--prefect-port is 4999, and it is up at" in other.stderr
    assert "`video-guard down` first" in other.stderr


def _mlflow(server, call: str, **question: str) -> Any:
    address = f"http://127.0.0.1:{server.mlflow_port}/api/2.0/mlflow/{call}?{urllib.parse.urlencode(question)}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)
