"""The program as a service manager runs it: asked to end while it is at work."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.serving.conftest import QUESTION

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).with_name("video-guard")
CLIENTS = 8


def test_what_was_accepted_is_answered_after_sigterm(trained, tiny_base, small_set, tmp_path):
    state, temporary = tmp_path / "state", tmp_path / "uploads"
    temporary.mkdir()
    command = [PROGRAM, "serve", "--model", trained.adapter, "--base", tiny_base, "--state", state, "--port", "0"]
    options = ["--temporary", temporary, "--workers", "1", "--json"]
    service = subprocess.Popen(
        [*map(str, [*command, *options])],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert service.stdout is not None
    address = json.loads(service.stdout.readline())["address"]
    answered: dict[str, int] = {}
    some = threading.Event()

    def ask(client_number: int) -> None:
        """Ask again and again until the service takes no more."""
        with httpx2.Client(base_url=address, timeout=60) as client:
            for number in range(1000):
                path = small_set.samples[(client_number + number) % len(small_set.samples)].path
                name = f"{client_number}-{number}"
                try:
                    answer = client.post(
                        "/v1/predict",
                        data={"question": QUESTION, "max_new_tokens": 12},
                        files={"video": path.read_bytes()},
                        headers={"X-Request-ID": name},
                    )
                except httpx2.TransportError:
                    return
                answered[name] = answer.status_code
                if len(answered) > 2 * CLIENTS:
                    some.set()

    with ThreadPoolExecutor(CLIENTS) as clients:
        asking = [clients.submit(ask, number) for number in range(CLIENTS)]
        assert some.wait(120)
        service.send_signal(signal.SIGTERM)
        for each in asking:
            each.result()
    assert service.wait(60) == 0
    lines = [json.loads(line) for line in (state / "serving" / "audit.jsonl").read_text().splitlines()]
    accepted = {line["request"] for line in lines if line["event"] == "accepted"}
    assert accepted == answered.keys()
    assert set(answered.values()) == {200}
    assert list(temporary.iterdir()) == []
