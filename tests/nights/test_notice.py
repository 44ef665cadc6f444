"""Who is told: a bad address is refused before any work, a message arrives, and no secret is shown."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from videoguard.errors import UserError
from videoguard.nights.notice import check_addresses, send


@pytest.fixture
def hook():
    """A web hook on this machine; what it was sent."""
    told: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, told
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_arrives_and_what_does_not_take_it_is_named_without_its_secrets(hook):
    port, told = hook
    good, dead = f"json://127.0.0.1:{port}/night", "json://user:secret@127.0.0.1:9/night"
    assert send([good, dead], "walks regressed", "right 1.000 to 0.333") == ["json://…"]
    (message,) = told
    assert (message["title"], message["message"]) == ("walks regressed", "right 1.000 to 0.333")


def test_addresses_are_checked_and_filled_from_the_environment(monkeypatch):
    monkeypatch.setenv("HOOK", "127.0.0.1/secret")
    assert check_addresses(["json://$HOOK", "json://${HOOK}/x"]) == ["json://127.0.0.1/secret", "json://127.0.0.1/secret/x"]
    with pytest.raises(UserError) as refused:
        check_addresses(["nonsense://secret", "json://$ABSENT_HOOK/secret", "no address"])
    told = str(refused.value)
    assert "nonsense://… is no address that Apprise knows" in told
    assert "json://…: the variable ABSENT_HOOK is not set" in told
    assert "secret" not in told
