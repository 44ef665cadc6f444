"""Where the login of a machine is looked for, and what a server that wants another one comes to."""

import base64
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from videoguard.errors import UserError
from videoguard.registry.login import require_login

LOGIN = "Basic " + base64.b64encode(b"ann:p@ss").decode()


class _Locked(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers["Authorization"] in (LOGIN, "Bearer token")
        self.send_response(200 if known and self.path.startswith("/api/2.0/mlflow/experiments/search?") else 401)
        self.end_headers()

    def log_message(self, *told: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch, tmp_path) -> Iterator[str]:
    """A server that takes one login, asked by a machine that knows none."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with HTTPServer(("127.0.0.1", 0), _Locked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_machine_without_a_login_is_told_to_set_one(address):
    with pytest.raises(
        UserError, match=rf"MLflow at {address} asks for a login \(status 401\): set MLFLOW_TRACKING_USERNAME"
    ):
        require_login(address)


def test_a_wrong_login_is_told_without_its_password(address):
    with pytest.raises(UserError, match=rf"MLflow at {address} does not take the login") as refused:
        require_login(address.replace("//", "//ann:secret@"))
    assert "secret" not in str(refused.value)


def test_a_login_is_taken_from_wherever_mlflow_takes_it(address, monkeypatch, tmp_path):
    require_login(address.replace("//", "//ann:p%40ss@"))
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow/credentials").write_text(
        "[mlflow]\nmlflow_tracking_username = ann\nmlflow_tracking_password = p@ss\n"
    )
    require_login(f"{address}/")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(UserError):
        require_login(address)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p@ss")
    require_login(address)


def test_a_token_is_a_login(address, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    require_login(address)


def test_what_does_not_answer_or_is_no_server_is_no_fault_here(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        require_login(f"http://127.0.0.1:{closed.getsockname()[1]}")
    require_login(f"sqlite:///{tmp_path}/mlflow.db")
