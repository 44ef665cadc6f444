"""A server on loopback that speaks the part of OpenAI's protocol that a judge needs."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Reply = Callable[[str], str | int]
"""From a prompt to the reply, or to an HTTP status that refuses it."""


class JudgeServer(ThreadingHTTPServer):
    """Answers every prompt by a function, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.asked]


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(body)
            self.server.keys.append(self.headers.get("Authorization"))
        reply = self.server.reply(body["messages"][0]["content"]) if self.path == "/v1/chat/completions" else 404
        self.send_response(reply if isinstance(reply, int) else 200)
        self.end_headers()
        if isinstance(reply, str):
            choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
            self.wfile.write(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its name in the library
        pass


@contextmanager
def judge_server(reply: Reply) -> Iterator[JudgeServer]:
    server = JudgeServer(reply)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
