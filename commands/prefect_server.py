"""Prefect's server for a flow that runs in this process: the user's running one, else a temporary one on a free port."""

import base64
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.servers import LOOPBACK, PREFECT_PORT, PREFECT_TRIES, answers, configured_url
from commands.standing import find_standing
from videoguard.errors import UserError
from videoguard.importing import importing

_START_SECONDS = 120.0
_STOP_SECONDS = 15.0
_ANSWER_SECONDS = 10.0


@contextmanager
def prefect_server(state: Path, *, verbose: bool, meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Let Prefect, imported within the block or in `meanwhile`, use a server; keep its files in the state folder.

    The server is the one that `PREFECT_API_URL` or `prefect.toml` names, or that `video-guard up` runs here, where it
    answers. Else one is started for the block alone; what it records stays in the database of the state folder. Variables
    that the user has set stay.

    Args:
        state: folder of the run; matplotlib's files go there too.
        verbose: whether Prefect's log is shown.
        meanwhile: imports, made once while a temporary server starts, which takes seconds.
    """
    home = state.absolute() / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PREFECT_HOME", str(home))
    os.environ.setdefault("MPLCONFIGDIR", str(state.absolute() / "matplotlib"))
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", str(PREFECT_TRIES))
    if not verbose:
        # The commands show progress and errors themselves.
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
        os.environ.setdefault("PREFECT_INTERNAL_LOGGING_LEVEL", "CRITICAL")
    standing = find_standing()
    url = os.environ.get("PREFECT_API_URL") or configured_url() or (standing and standing.api)
    if url and answers(f"{url}/health"):
        os.environ["PREFECT_API_URL"] = url
        _require_login(url)
        yield
        _hand_over_events()
        return
    port = _free_port()
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    # Links to this run are opened later, when `video-guard up` serves the same database.
    os.environ.setdefault("PREFECT_UI_URL", f"http://{LOOPBACK}:{PREFECT_PORT}")
    with _temporary_server(port, meanwhile):
        yield
        _hand_over_events()


def _require_login(url: str) -> None:
    """Refuse a login that Prefect's server does not take; its health it tells to everyone.

    Raises:
        UserError: it wants another login.
    """
    from prefect.settings import get_current_settings

    # From the environment, prefect.toml or a profile.
    api = get_current_settings().api
    login, key = (None if secret is None else secret.get_secret_value() for secret in (api.auth_string, api.key))
    headers = {"Content-Type": "application/json"}
    if login:
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    elif key:
        headers["Authorization"] = f"Bearer {key}"
    try:
        request = urllib.request.Request(f"{url}/flows/count", b"{}", headers)  # noqa: S310  Prefect's own address
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as refusal:
        if refusal.code in (401, 403):
            told = "does not take the login" if "Authorization" in headers else "asks for a login"
            raise UserError(
                f"Prefect's server at {url} {told} (status {refusal.code}): set PREFECT_API_AUTH_STRING to name:password"
            ) from None
    except (OSError, ValueError):
        # What does not answer now is tried again by Prefect's own client.
        return


@contextmanager
def _temporary_server(port: int, meanwhile: Callable[[], object]) -> Iterator[None]:
    server = subprocess.Popen(  # noqa: S603  the program's own module
        [sys.executable, "-m", "commands.prefect_server", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C in the terminal ends the flow first; the server has to record that.
        start_new_session=True,
    )
    try:
        with importing():
            meanwhile()
        _wait_until_ready(server, port)
        yield
    finally:
        server.terminate()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not answers(f"http://127.0.0.1:{port}/api/health"):
        if server.poll() is not None:
            raise RuntimeError(f"the temporary Prefect server ended at its start with status {server.returncode}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the temporary Prefect server did not answer within {_START_SECONDS:.0f} s")
        time.sleep(0.2)


def _hand_over_events() -> None:
    """Wait until this process has sent the server what it knows of task runs, which it sends in the background."""
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all(timeout=_STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(port: int) -> None:
    """Serve until a signal comes or the parent process is gone."""
    with importing():
        import uvicorn
        from prefect.server.api.server import create_app

    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.run(create_app(), host="127.0.0.1", port=port, log_level="critical")


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
