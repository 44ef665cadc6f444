"""The server: starts, tells its address, and ends when asked to, once it has finished what it took."""

import json
import logging
import os
import signal
import tempfile
from collections.abc import Callable
from socket import socket
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from videoguard.errors import UserError
from videoguard.serving.app import make_app
from videoguard.serving.gate import LONGEST_HEADERS, Gate, is_loopback
from videoguard.serving.keys import VARIABLE, ApiKeys, load_keys
from videoguard.serving.problems import PROBLEM_TYPE, ProblemError
from videoguard.serving.service import Service, open_service
from videoguard.serving.settings import ServeSettings

# An answer is there by its deadline; the rest is for sending it.
_GRACE_S = 10


def serve(settings: ServeSettings, on_ready: Callable[[str], None], on_model: Callable[[str], None]) -> None:
    """Run until asked to end (SIGTERM, Ctrl-C); what was accepted until then is answered.

    Args:
        settings: how the service runs.
        on_ready: told the address once requests are taken.
        on_model: told the name of each model before it is loaded.

    Raises:
        UserError: the settings are refused, a model cannot be loaded, or the address is taken.
        UnavailableError: MLflow does not answer.
    """
    keys = check(settings)
    # Large uploads are spooled, without a name, where they will lie.
    tempfile.tempdir = None if settings.temporary is None else str(settings.temporary)
    service = open_service(settings)
    try:
        service.catalogue.load(on_model)
        _run(service, keys, on_ready)
    finally:
        service.close()


def check(settings: ServeSettings) -> ApiKeys:
    """The API keys; refuses, before any work, what could not be served.

    Raises:
        UserError: the address is not a loopback one and there is no key, or a folder is not there.
    """
    keys = load_keys(settings.api_keys, os.environ.get(VARIABLE))
    if not len(keys) and not is_loopback(settings.host):
        raise UserError(
            f"--host is {settings.host}: an address that others reach needs API keys; make one with "
            "`video-guard api-key NAME` and give its file with --api-keys, or listen at 127.0.0.1"
        )
    for root in settings.roots:
        if not root.is_dir():
            raise UserError(f"--root is {root}: there is no such folder; give the folder of the videos")
    if settings.temporary is not None and not settings.temporary.is_dir():
        raise UserError(f"--temporary is {settings.temporary}: there is no such folder; make it, or leave it out")
    if settings.labels is not None and not settings.labels.exists():
        raise UserError(f"--labels is {settings.labels}: there is no such manifest; give one that has labels")
    return keys


def make_server(service: Service, keys: ApiKeys, on_ready: Callable[[str], None]) -> uvicorn.Server:
    """The server of a service whose models are loaded."""
    settings = service.settings
    app = Gate(make_app(service), settings, keys, service.counters, service.audit)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=LONGEST_HEADERS,
        timeout_graceful_shutdown=round(settings.timeout) + _GRACE_S,
    )
    return _Server(config, on_ready)


def _run(service: Service, keys: ApiKeys, on_ready: Callable[[str], None]) -> None:
    # uvicorn raises the signal again once it has ended; it has done its work by then.
    before = {sign: signal.signal(sign, _nothing) for sign in (signal.SIGTERM, signal.SIGINT)}
    settings = service.settings
    try:
        make_server(service, keys, on_ready).run()
    except SystemExit:
        # It has logged why it cannot listen.
        raise UserError(
            f"--host {settings.host} --port {settings.port} cannot be listened at: take another port, or 0 for a free one"
        ) from None
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


class _Server(uvicorn.Server):
    """Tells its address when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")


class _Protocol(H11Protocol):
    """Tells in the form of a problem why a request cannot be read as HTTP."""

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request."""
        most = f"{LONGEST_HEADERS >> 10} KiB"
        problem = ProblemError(
            400, "the request", "not readable", f"it must be HTTP/1.1 with headers of {most} at most", "mend it"
        )
        body = json.dumps(problem.content("")).encode()
        headers = [
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            sent = self.conn.send(event)
            if sent:
                self.transport.write(sent)
        self.transport.close()


def _nothing(sign: int, frame: FrameType | None) -> None:
    logging.getLogger(__name__).info("ended by signal %s", sign)
