"""Pushing: a hub on loopback takes the files, and what it refuses is told without the token."""

import json
import threading
from base64 import b64decode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import pytest

from videoguard.errors import UnavailableError, UserError
from videoguard.export.hub import push_to_hub

TOKEN = "hf_secretsecretsecretsecretsecretsec"


class Server(ThreadingHTTPServer):
    """A hub on loopback, and what it was given."""

    def __init__(self, *, refusing: bool) -> None:
        super().__init__(("127.0.0.1", 0), Hub)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.refusing = refusing
        self.made: list[dict[str, object]] = []
        self.files: dict[str, bytes] = {}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as an upload of small files asks for."""

    server: Server

    def do_POST(self) -> None:
        server = self.server
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {TOKEN}" or server.refusing:
            return self.answer({"error": "no"}, 403)
        if self.path == "/api/repos/create":
            server.made.append(json.loads(content))
            return self.answer({"url": f"{server.address}/owner/coach", "name": "owner/coach"})
        if "/preupload/" in self.path:
            files = [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(content)["files"]]
            return self.answer({"files": files})
        if "/commit/" in self.path:
            lines = [json.loads(line) for line in content.splitlines()]
            for line in lines:
                if line["key"] == "file":
                    server.files[line["value"]["path"]] = b64decode(line["value"]["content"])
            return self.answer({"commitUrl": f"{server.address}/owner/coach/commit/1", "commitOid": "1"})
        return self.answer({})

    def do_GET(self) -> None:
        self.answer({"error": "no"}, 403) if self.server.refusing else self.answer({})

    def answer(self, content: dict[str, object], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def served(monkeypatch, *, refusing: bool = False):
    with Server(refusing=refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.address)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "README.md").write_text("# coach\n")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_every_file_arrives_in_a_private_repository(folder, monkeypatch):
    with served(monkeypatch) as hub:
        address = push_to_hub(folder, "owner/coach", private=True)
    assert address.endswith("/owner/coach/commit/1")
    assert hub.files == {"README.md": b"# coach\n", "adapter_model.safetensors": b"weights"}
    (made,) = hub.made
    assert made["visibility"] == "private" if "visibility" in made else made["private"]


def test_a_refusal_names_the_repository_and_hides_the_token(folder, monkeypatch):
    with served(monkeypatch, refusing=True), pytest.raises(UserError, match=r"owner/coach: the hub refuses \(403\)") as told:
        push_to_hub(folder, "owner/coach", private=True)
    assert TOKEN not in str(told.value)


def test_a_name_that_is_none_is_refused(folder, monkeypatch):
    with served(monkeypatch), pytest.raises(UserError, match="named owner/name"):
        push_to_hub(folder, "a/b/c", private=True)


def test_a_hub_that_does_not_answer_is_told_and_the_folder_stays(folder, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(UnavailableError, match=r"does not answer .* is complete") as told:
        push_to_hub(folder, "owner/coach", private=True)
    assert TOKEN not in str(told.value)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "adapter_model.safetensors"]
