"""Videos by URL: only from allowed hosts, wherever a redirect or a name would lead."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.serving.conftest import QUESTION, Running, running
from tests.serving.test_predicting import LENGTH, post


@pytest.fixture(scope="module")
def host(video) -> Iterator[str]:
    """A server that has the video, and leads elsewhere."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Host"])
            port = self.connection.getsockname()[1]
            there = {"/away.mp4": f"http://127.0.0.1:{port}/clip.mp4", "/on.mp4": "/clip.mp4", "/round.mp4": "/round.mp4"}
            if self.path in there:
                self.send_response(302)
                self.send_header("Location", there[self.path])
                self.end_headers()
                return
            self.send_response(200 if self.path == "/clip.mp4" else 404)
            self.end_headers()
            self.wfile.write(video.read_bytes())

        def log_message(self, *told: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def fetching(settings) -> Iterator[Running]:
    with running(settings(hosts=("localhost",), allow_private=True)) as found:
        yield found


def ask(served: Running, url: str):
    return served.client.post("/v1/predict", data={"url": url, "question": QUESTION, "max_new_tokens": LENGTH})


def test_a_video_of_an_allowed_host_is_answered_also_after_a_redirect(fetching, host, video):
    same = post(fetching, video).json()["answers"][0]["answer"]
    for path in ("clip.mp4", "on.mp4"):
        told = ask(fetching, f"{host}/{path}").json()
        assert told["answers"][0]["answer"] == same
        assert told["video"]["name"] == path
    assert fetching.service.uploads.files() == []


@pytest.mark.parametrize(
    ("path", "status", "rule"),
    [
        ("away.mp4", 403, "the hosts that it may name are localhost"),
        ("round.mp4", 422, "it led on more than 5 times"),
        ("none.mp4", 422, "it answered with status 404"),
    ],
)
def test_a_url_that_leads_elsewhere_or_nowhere_is_refused(fetching, host, path, status, rule):
    refused = ask(fetching, f"{host}/{path}")
    assert (refused.status_code, refused.json()["thing"]) == (status, "url")
    assert rule in refused.json()["rule"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://localhost/a", "http://[", "http://u:p@localhost/a", "localhost", "\0"]
)
def test_what_is_no_address_of_a_video_is_refused(fetching, url):
    refused = ask(fetching, url)
    assert (refused.status_code, refused.json()["thing"]) == (422, "url")


def test_a_private_address_is_not_asked_unless_that_is_allowed(settings, host):
    with running(settings(hosts=("localhost",))) as careful:
        refused = ask(careful, f"{host}/clip.mp4")
    assert (refused.status_code, refused.json()["rule"]) == (403, "it stands for a private address")
    assert urlsplit(host).hostname == "localhost"


def test_too_much_is_not_read_to_its_end(settings, host):
    with running(settings(hosts=("localhost",), allow_private=True, max_upload_mb=0.002)) as small:
        refused = ask(small, f"{host}/clip.mp4")
    assert (refused.status_code, refused.json()["rule"]) == (413, "a video may have 0.002 MiB (--max-upload-mb)")
