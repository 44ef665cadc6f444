"""Metrics of a running training reach MLflow in the background, and nothing is lost where it does not answer."""

import json
import threading
import time
from pathlib import Path

import pytest

from videoguard.errors import UnavailableError
from videoguard.registry import live
from videoguard.registry.live import LiveRun
from videoguard.registry.request import RegistrationRequest
from videoguard.registry.tracking import Tracking, connect
from videoguard.registry.versions import complete_run

pytestmark = pytest.mark.slow


@pytest.fixture
def live_run(tracking, tmp_path):
    return lambda **changes: LiveRun(
        **{
            "connect": lambda: tracking,
            "note": tmp_path / "note",
            "name": "trial",
            "settings": {"training.epochs": 3},
            "tags": {"base_model": "tiny"},
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
        until(lambda: run.run_id is not None and history(tracking, run.run_id) == [(5, 2.0)])
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
        until(lambda: run.run_id is not None)
    assert run.complete
    assert history(tracking, run.run_id) == [(1, 3.0)]


def test_a_training_that_was_killed_goes_on_in_its_run(live_run, tracking):
    first = live_run()

    def train_until_killed() -> None:
        with first:
            until(lambda: first.run_id is not None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_until_killed()
    assert tracking.client.get_run(first.run_id).info.status == "FAILED"
    with live_run() as second:
        until(lambda: second.run_id is not None)
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
    completed = complete_run(tracking, request(tmp_path, run_id))
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
        run_name="trial",
        run_tags={},
        settings={"training.epochs": 3},
        training=training,
        logged=False,
        registered_model="exercises",
        base="base",
        version_tags={},
    )


def until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
