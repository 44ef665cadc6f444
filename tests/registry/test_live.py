"""Metrics of a running training reach MLflow in the background, and nothing is lost where it does not answer."""

import json
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from tests.waiting import wait_until
from videoguard.errors import UnavailableError
from videoguard.registry import live
from videoguard.registry.live import LiveRun
from videoguard.registry.request import NewRun, RegistrationRequest
from videoguard.registry.tracking import Tracking, connect
from videoguard.registry.versions import complete_run, send_log

pytestmark = pytest.mark.slow

RECIPE = NewRun(name="trial", settings={"training.epochs": 3}, tags={"base_model": "tiny"})
TRAINING = NewRun(name="trial training", settings={"training.epochs": 3}, tags={"base_model": "tiny"})


@pytest.fixture
def live_run(tracking, tmp_path):
    return lambda **changes: LiveRun(
        **{
            "connect": lambda: tracking,
            "note": tmp_path / "note",
            "run": TRAINING,
            "parent": RECIPE,
            **changes,
        }
    )


def history(tracking: Tracking, run_id: str | None) -> list[tuple[int, float]]:
    assert run_id is not None
    points = tracking.client.get_metric_history(run_id, "train_loss")
    return sorted((point.step, point.value) for point in points)


def test_metrics_are_in_mlflow_while_the_training_goes_on(live_run, tracking):
    with live_run() as run:
        run.log({"train_loss": 2.0}, 5)
        wait_until(lambda: run.run_id is not None and history(tracking, run.run_id) == [(5, 2.0)])
        run.log({"train_loss": 1.0}, 10)
    assert run.complete
    assert history(tracking, run.run_id) == [(5, 2.0), (10, 1.0)]
    assert tracking.client.get_run(run.run_id).info.status == "RUNNING"


def test_an_mlflow_that_does_not_answer_holds_nothing_up(live_run, monkeypatch, caplog):
    monkeypatch.setattr(live, "_AGAIN_SECONDS", 0.05)

    def refuse() -> Tracking:
        raise ConnectionError("connection refused")

    started = time.monotonic()
    with live_run(connect=refuse) as run:
        for step in range(100):
            run.log({"train_loss": 1.0}, step)
    assert time.monotonic() - started < 2
    assert (run.run_id, run.complete) == (None, False)
    assert caplog.text.count("MLflow does not answer (connection refused): the training goes on") == 1


def test_metrics_of_a_lost_connection_are_sent_once_it_is_back(live_run, tracking, monkeypatch):
    monkeypatch.setattr(live, "_AGAIN_SECONDS", 0.05)
    back = threading.Event()

    def sometimes() -> Tracking:
        if not back.is_set():
            raise ConnectionError("connection refused")
        return tracking  # type: ignore[no-any-return]

    with live_run(connect=sometimes) as run:
        run.log({"train_loss": 3.0}, 1)
        back.set()
        wait_until(lambda: run.run_id is not None)
    assert run.complete
    assert history(tracking, run.run_id) == [(1, 3.0)]


def test_a_training_that_was_killed_goes_on_in_its_run(live_run, tracking):
    first = live_run()

    def train_until_killed() -> None:
        with first:
            wait_until(lambda: first.run_id is not None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_until_killed()
    assert tracking.client.get_run(first.run_id).info.status == "FAILED"
    with live_run() as second:
        wait_until(lambda: second.run_id is not None)
    assert second.run_id == first.run_id
    assert tracking.client.get_run(first.run_id).info.status == "RUNNING"


@pytest.mark.parametrize("known", ["never made", "deleted", "without its metrics"])
def test_the_registration_fills_in_what_mlflow_missed(known, tracking, tmp_path):
    log = [{"step": 1, "train_loss": 2.0, "learning_rate": 0.1}, {"step": 2, "train_loss": 1.0, "learning_rate": 0.0}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(point) + "\n" for point in log))
    (tmp_path / "curves.png").write_bytes(b"picture")
    run_id = None if known == "never made" else tracking.start_run("trial", {}, {})
    if known == "deleted":
        tracking.client.delete_run(run_id)
    completed, parent = complete_run(tracking, request(tmp_path, run_id))
    assert tracking.tags_of(completed)["mlflow.parentRunId"] == parent
    assert (completed == run_id) is (known == "without its metrics")
    assert history(tracking, completed) == [(1, 2.0), (2, 1.0)]
    assert {file.path for file in tracking.client.list_artifacts(completed, "training")} == {
        "training/curves.png",
        "training/log.jsonl",
    }


def test_an_mlflow_server_that_is_not_there_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        UnavailableError, match=r"MLflow at http://127\.0\.0\.1:9 does not answer: .*run the same command again"
    ):
        connect("http://127.0.0.1:9", "exercises", tmp_path)


def request(training: Path, run_id: str | None) -> RegistrationRequest:
    return RegistrationRequest(
        tracking_uri="unused",
        experiment="exercises",
        state=training,
        run_id=run_id,
        parent_run_id=None,
        parent=RECIPE,
        run=TRAINING,
        training=training,
        logged=False,
        registered_model="exercises",
        base="base",
        version_tags={},
    )


def test_the_training_is_below_the_run_of_its_recipe_and_both_fail_with_it(live_run, tracking):
    def fail() -> None:
        with live_run() as run:
            wait_until(lambda: run.run_id is not None)
            ids.extend([run.run_id, run.parent_run_id])
            raise KeyboardInterrupt

    ids: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        fail()
    training, recipe = ids
    assert tracking.tags_of(training)["mlflow.parentRunId"] == recipe
    assert [tracking.status_of(run_id) for run_id in ids] == ["FAILED", "FAILED"]


def test_the_load_of_the_machine_is_sent_and_counted_on_after_a_kill(live_run, tracking):
    name = "system/cpu_utilization_percentage"

    def reached(run: LiveRun, points: int) -> bool:
        return run.run_id is not None and len(tracking.steps_of(run.run_id, name)) >= points

    for measured in (2, 4):
        with live_run(load_seconds=0.05) as run:
            wait_until(partial(reached, run, measured))
    points = tracking.client.get_metric_history(run.run_id, name)
    steps = [point.step for point in points]
    assert steps == list(range(len(steps)))
    assert "system/system_memory_usage_megabytes" in tracking.client.get_run(run.run_id).data.metrics


def test_metrics_have_the_time_at_which_they_were_measured(live_run, tracking, monkeypatch):
    monkeypatch.setattr(live, "_AGAIN_SECONDS", 0.05)
    back = threading.Event()

    def sometimes() -> Tracking:
        if not back.is_set():
            raise ConnectionError("connection refused")
        return tracking  # type: ignore[no-any-return]

    with live_run(connect=sometimes) as run:
        run.log({"train_loss": 3.0}, 1)
        logged = time.time() * 1000
        time.sleep(0.3)
        back.set()
        wait_until(lambda: run.run_id is not None)
    (point,) = tracking.client.get_metric_history(run.run_id, "train_loss")
    assert abs(point.timestamp - logged) < 200


def test_the_log_of_a_training_is_sent_without_what_is_there(tracking, tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps({"step": step, "train_loss": 1.0 / step}) + "\n" for step in (1, 2, 3)))
    run_id = tracking.start_run("trial", {}, {})
    tracking.log_metrics(run_id, {"train_loss": 1.0}, 1)
    send_log(tracking, run_id, log)
    assert history(tracking, run_id) == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
