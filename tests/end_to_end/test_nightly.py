"""Nights after the quickstart: a worsened adapter is held back, one that is champion all the same is found out, a better one
takes its place; and what Prefect's pages show of it, looked at in Chromium where it and playwright are installed."""

import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.end_to_end.conftest import Workspace, _free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quickstart")]

METRIC = "exercise_accuracy"


@dataclass(frozen=True)
class Nights:
    """Two nights in a copy of the quickstart's folder, where `video-guard up` runs."""

    workspace: Workspace
    versions: tuple[str, str, str]
    """Of the quickstart's adapter, of the worsened one, and of the copy of the first."""
    first: dict[str, Any]
    """The champion of the quickstart, and a candidate that is its adapter with noise on the weights."""
    second: dict[str, Any]
    """That candidate, made champion by hand, and a copy of the first champion as the candidate."""
    statuses: tuple[int, int]
    flow_run: dict[str, Any]
    """Of the second night."""
    told: list[dict[str, str]]
    """What the address of the notices was sent in the second night."""


@pytest.fixture(scope="module")
def nights(workspace, quickstart, tmp_path_factory) -> Iterator[Nights]:
    folder: Path = tmp_path_factory.mktemp("nights") / "workspace"
    shutil.copytree(workspace.folder, folder, ignore=shutil.ignore_patterns("prefect", "up", "logs"))
    here = Workspace(folder, workspace.home, _free_port(), _free_port())
    ports = ("--prefect-port", str(here.port), "--mlflow-port", str(here.mlflow_port))
    with listening() as (address, told):
        try:
            begun = here.call("video-guard", "up", "--detach", *ports)
            assert begun.returncode == 0, begun.stdout + begun.stderr
            tuned = quickstart.summary["version"]
            # Others may have run other recipes in the folder since, which have versions and aliases too.
            give_alias(here, "champion", tuned)
            worsened = register(here, tuned, folder / "worsened", noise=5.0)
            first, passed = nightly(here)
            assert told == []
            promoted = here.call("video-guard", "models", "promote", worsened, "--reason", "by mistake")
            assert promoted.returncode == 0, promoted.stderr
            copied = register(here, tuned, folder / "copy", noise=0.0)
            second, failed = nightly(here, "--notify", address)
            (flow_run,) = here.ask("flow_runs/filter", sort="START_TIME_DESC", limit=1)
            yield Nights(here, (tuned, worsened, copied), first, second, (passed, failed), flow_run, told)
        finally:
            here.call("video-guard", "down")


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A web hook on this machine: its address for Apprise, and what it is sent."""
    told: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"json://127.0.0.1:{server.server_port}/night", told
        finally:
            server.shutdown()
            thread.join()


def registry_of(here: Workspace) -> Any:
    """The database itself: its server takes no folder of this machine as the source of a version."""
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{here.state}/mlflow.db")


def give_alias(here: Workspace, alias: str, version: str) -> None:
    registry_of(here).set_registered_model_alias("video-guard", alias, version)


def register(here: Workspace, version: str, folder: Path, noise: float) -> str:
    """A new version, the candidate: an older one with noise on its adapter, in standard deviations of each matrix."""
    import mlflow
    import torch
    from safetensors.torch import load_file, save_file

    client = registry_of(here)
    first = client.get_model_version("video-guard", version)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(client.tracking_uri)
    mlflow.artifacts.download_artifacts(f"models:/video-guard/{version}", dst_path=str(folder))
    mlflow.set_tracking_uri(before)
    (weights,) = folder.rglob("adapter_model.safetensors")
    draw = torch.Generator().manual_seed(0)
    if noise:
        changed = {
            name: values + noise * values.std() * torch.randn(values.shape, generator=draw)
            for name, values in load_file(weights).items()
        }
        save_file(changed, weights)
    (model,) = folder.rglob("MLmodel")
    made = client.create_model_version("video-guard", model.parent.as_uri(), first.run_id, first.tags)
    give_alias(here, "candidate", made.version)
    return str(made.version)


def nightly(here: Workspace, *arguments: str) -> tuple[dict[str, Any], int]:
    ended = here.call("video-guard", "nightly", "configs/quickstart.yaml", "--json", *arguments)
    assert ended.returncode in (0, 1), ended.stderr
    return json.loads(ended.stdout), ended.returncode


def mean(summary: dict[str, Any], model: str, metric: str = METRIC) -> float:
    found: float = summary["night"]["asked"][model]["scores"][metric]["mean"]
    return found


def gain(promotion: dict[str, Any]) -> dict[str, Any]:
    """The figures of the metric that has to rise."""
    found: dict[str, Any] = next(test for test in promotion["tests"] if test["metric"] == promotion["metric"])
    return found


def test_a_worsened_candidate_is_held_back_and_the_night_passes(nights):
    night = nights.first["night"]
    assert (nights.statuses[0], night["outcome"]) == (0, "passed")
    assert [night["asked"][model]["version"] for model in ("champion", "candidate", "base")] == [*nights.versions[:2], None]
    # The run has asked base and champion; the night asks the new version alone.
    computed = {model: asked["computed"] for model, asked in night["asked"].items()}
    assert computed == {"base": 0, "candidate": night["samples"], "champion": 0}
    promotion = night["promotion"]
    assert (promotion["outcome"], promotion["version"], promotion["against"]) == (
        "held back",
        nights.versions[1],
        nights.versions[0],
    )
    metric = promotion["metric"]
    means = [mean(nights.first, model, metric) for model in ("champion", "candidate")]
    assert [gain(promotion)[which] for which in ("first_mean", "second_mean")] == means
    assert mean(nights.first, "champion") - mean(nights.first, "candidate") > 0.3


def test_a_worsened_champion_fails_the_night_with_its_figures(nights):
    night = nights.second["night"]
    assert (nights.statuses[1], night["outcome"], night["asked"]["champion"]["version"]) == (
        1,
        "regressed",
        nights.versions[1],
    )
    before, after = mean(nights.first, "champion"), mean(nights.second, "champion")
    # The version is the candidate of the night before: the same answers, which nobody gave again.
    assert after == mean(nights.first, "candidate")
    assert sum(asked["computed"] for asked in night["asked"].values()) == 0
    fall = f"{METRIC} {before:.3f} to {after:.3f} ({after - before:+.3f}; "
    assert any(reason.startswith(fall) for reason in night["reasons"]), night["reasons"]

    state = nights.flow_run["state"]
    assert (state["type"], state["name"]) == ("FAILED", "Regressed")
    assert fall in state["message"]
    (message,) = nights.told
    assert (
        message["title"]
        == f"quickstart: video-guard version {nights.versions[1]} regressed, night of {night['started'][:10]}"
    )
    assert fall in message["message"]
    assert nights.second["workbook"] in message["message"]
    assert nights.second["unsent"] == []


def test_a_better_candidate_becomes_champion_in_the_same_night(nights):
    promotion = nights.second["night"]["promotion"]
    assert (promotion["outcome"], promotion["version"], promotion["against"]) == (
        "promoted",
        nights.versions[2],
        nights.versions[1],
    )
    metric = promotion["metric"]
    rise = mean(nights.first, "champion", metric) - mean(nights.second, "champion", metric)
    assert gain(promotion)["difference"] == pytest.approx(rise)
    listed = nights.workspace.call("video-guard", "models", "ls", "--json")
    champions = [each["version"] for each in json.loads(listed.stdout)["versions"] if "champion" in each["aliases"]]
    assert champions == [nights.versions[2]]


def test_the_night_is_a_table_a_link_and_an_event_of_its_flow_run(nights):
    artifacts = nights.workspace.ask("artifacts/filter", artifacts={"flow_run_id": {"any_": [nights.flow_run["id"]]}})
    by_key = {artifact["key"]: artifact for artifact in artifacts}
    table = json.loads(by_key["nightly-quickstart"]["data"])
    (line,) = [
        each for each in table if each["metric"] == METRIC and each["model"] == f"Champion, version {nights.versions[1]}"
    ]
    before, after = mean(nights.first, "champion"), mean(nights.second, "champion")
    assert (line["mean"], line["against the last good night"]) == (round(after, 4), round(after - before, 4))
    link = by_key["nightly-quickstart-workbook"]["data"]
    address = link.partition("](")[2].rstrip(")")
    with urllib.request.urlopen(address, timeout=60) as answer:
        assert {"Nights", "Comparison", "Summary"} <= set(load_workbook(BytesIO(answer.read())).sheetnames)
    wanted = {"event": {"name": ["video-guard.night.regressed"]}, "occurred": {"since": nights.second["night"]["started"]}}
    (event,) = nights.workspace.ask("events/filter", filter=wanted)["events"]
    assert event["resource"]["prefect.resource.id"] == "video-guard.model.video-guard"
    assert event["payload"]["reasons"] == nights.second["night"]["reasons"]


def test_prefect_shows_the_options_of_a_night_as_a_form(shown, nights):
    from playwright.sync_api import expect

    (deployment,) = [
        each
        for each in nights.workspace.ask("deployments/filter")
        if each["entrypoint"] == "flows/nightly_eval.py:nightly_eval"
    ]
    shown.goto(f"http://127.0.0.1:{nights.workspace.port}/deployments/deployment/{deployment['id']}/run")
    for option in ("recipe", "overrides", "models", "minimum_drop", "alpha", "promote", "notify", "new_standard"):
        expect(shown.get_by_text(option.replace("_", " "), exact=False).first).to_be_visible()
    expect(shown.get_by_text("Least fall of a mean that counts as a regression.").first).to_be_visible()


def test_prefect_shows_the_regressed_night_with_table_and_workbook(shown, nights):
    from playwright.sync_api import expect

    shown.goto(f"http://127.0.0.1:{nights.workspace.port}/runs/flow-run/{nights.flow_run['id']}")
    expect(shown.get_by_text("Regressed").first).to_be_visible()
    shown.get_by_text("Artifacts", exact=True).first.click()
    expect(shown.get_by_text("nightly-quickstart-workbook").first).to_be_visible()
    shown.get_by_text("nightly-quickstart", exact=True).first.click()
    expect(shown.get_by_text("against the last good night").first).to_be_visible()
    expect(shown.get_by_text(f"Champion, version {nights.versions[1]}").first).to_be_visible()
