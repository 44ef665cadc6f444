import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from videoguard import doctor
from videoguard.doctor import Finding, examine, prepare_resources, print_findings

_AREAS = {
    "Python",
    "packages",
    "GPU",
    "video encoder",
    "video decoder",
    "state folder",
    "disk",
    "Prefect port",
    "MLflow port",
    "WordNet (METEOR)",
    "sentence model (BERT similarity)",
}


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """State folder on a machine that has WordNet nowhere."""
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr("videoguard.evaluation.wordnet_origins.SYSTEM_DATABASE", tmp_path / "absent")
    return tmp_path / "state"


def test_every_area_is_examined_and_what_is_missing_says_how_to_mend_it(bare_machine: Path) -> None:
    findings = {finding.name: finding for finding in examine(bare_machine)}
    assert set(findings) == _AREAS
    for name in ("Python", "packages", "video encoder", "video decoder", "state folder", "sentence model (BERT similarity)"):
        assert findings[name].status == "ok", findings[name]
    assert "read 12 frames" in findings["video decoder"].found
    assert findings["WordNet (METEOR)"].status == "missing"
    assert "wordnet-base" in findings["WordNet (METEOR)"].mend
    assert all(finding.mend for finding in findings.values() if finding.status != "ok")
    assert json.dumps([finding.model_dump() for finding in findings.values()])
    assert list(bare_machine.iterdir()) == []


def test_a_state_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    finding = doctor._state_folder(tmp_path / "file" / "state")
    assert finding.status == "missing"
    assert "execution.state" in finding.mend


def test_a_port_is_free_taken_or_answered_by_its_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert doctor._port("port", port, "/health", "--port 1").status == "ok"
        taken.listen()
        finding = doctor._port("port", port, "/health", "--port 1")
    assert (finding.status, finding.mend) == ("warning", "end what listens there, or take another port (`--port 1`)")

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        assert doctor._port("port", port, "/health", "").found == f"{port}: the server runs"
        assert doctor._port("port", port, "/api/health", "--port 1").status == "warning"
        server.shutdown()


def test_preparing_never_fails_and_says_what_is_missing(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No network and no apt-get: what a locked-down machine is.
    monkeypatch.setenv("PATH", str(bare_machine))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    wordnet, encoder = prepare_resources(bare_machine)
    assert wordnet.status == "missing"
    assert "NLTK's download (" in wordnet.found
    assert "apt-get is not on this machine" in wordnet.found
    assert encoder.status == "ok"


def test_the_table_shows_every_finding_and_how_to_mend_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings(
        [
            Finding(name="disk", status="ok", found="80 GiB free [at /data]"),
            Finding(name="GPU", status="missing", found="none", mend="buy one"),
        ]
    )
    printed = capsys.readouterr().out
    assert "80 GiB free [at /data]" in printed
    assert "GPU: buy one" in printed
    assert printed.splitlines()[0].split() == ["status", "what", "found"]
