"""A service on the tiny base and its adapter, asked over HTTP as a client would."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from videoguard.serving.keys import ApiKeys
from videoguard.serving.running import make_server
from videoguard.serving.service import Service, open_service
from videoguard.serving.settings import ServeSettings

QUESTION = "Which exercise is this?"


@dataclass(frozen=True)
class Running:
    """A service, and a client of it."""

    service: Service
    client: httpx2.Client
    address: str


@contextmanager
def running(settings: ServeSettings, keys: ApiKeys | None = None) -> Iterator[Running]:
    """The service of some settings while the block lasts."""
    service = open_service(settings)
    service.catalogue.load()
    ready, address = threading.Event(), ""

    def tell(told: str) -> None:
        nonlocal address
        address = told
        ready.set()

    server = make_server(service, keys or ApiKeys({}), tell)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        with httpx2.Client(base_url=address, timeout=60) as client:
            yield Running(service, client, address)
    finally:
        server.should_exit = True
        thread.join()
        service.close()


@pytest.fixture(scope="session")
def settings(trained, tiny_base, small_set, tmp_path_factory) -> Callable[..., ServeSettings]:
    """Builds the settings of a service on the adapter; fields may be changed."""

    def build(**changes: object) -> ServeSettings:
        folder: Path = tmp_path_factory.mktemp("service")
        fields = {
            "models": (str(trained.adapter),),
            "base": str(tiny_base),
            "state": folder / "state",
            "reports": folder / "reports",
            "temporary": folder,
            "roots": (small_set.manifest.parent,),
            "labels": small_set.manifest,
            "port": 0,
            "workers": 1,
            "max_seconds": 60.0,
            "max_upload_mb": 8.0,
        }
        return ServeSettings.model_validate({**fields, **changes})

    return build


@pytest.fixture(scope="session")
def served(settings) -> Iterator[Running]:
    """The service that tests share; who changes it has one of his own."""
    with running(settings()) as found:
        yield found


@pytest.fixture(scope="session")
def video(small_set) -> Path:
    """A clip of the small set."""
    path: Path = small_set.samples[0].path
    return path
