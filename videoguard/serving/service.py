"""`Service`: what the endpoints share, from its start to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from videoguard.errors import UserError
from videoguard.serving.audit import AuditLog
from videoguard.serving.catalogue import Catalogue
from videoguard.serving.clips import Uploads
from videoguard.serving.counters import Counters
from videoguard.serving.decoding import Decoder
from videoguard.serving.gate import Life
from videoguard.serving.problems import ProblemError, internal, replaced, timed_out
from videoguard.serving.settings import ServeSettings
from videoguard.serving.waiting import ClosedError

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The parts of a running service."""

    settings: ServeSettings
    catalogue: Catalogue
    decoder: Decoder
    uploads: Uploads
    counters: Counters
    audit: AuditLog

    def close(self) -> None:
        """Finish what was taken, end the processes and remove the uploads."""
        self.catalogue.close()
        self.decoder.close()
        self.uploads.remove()
        self.audit.close()


def open_service(settings: ServeSettings) -> Service:
    """The parts of a service, whose models are not loaded yet."""
    counters = Counters()
    catalogue = Catalogue(settings, counters)
    return Service(settings, catalogue, Decoder(settings, counters), Uploads(settings), counters, AuditLog(settings.state))


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service


def life_of(request: Request) -> Life:
    """The way of a request through the service."""
    life: Life = request.state.life
    return life


@asynccontextmanager
async def in_time(request: Request) -> AsyncIterator[None]:
    """What happens in the block must end before the request's deadline.

    Raises:
        ProblemError: 504, it did not.
    """
    try:
        async with asyncio.timeout(life_of(request).seconds_left):
            yield
    except TimeoutError:
        raise timed_out(service_of(request).settings.timeout) from None


async def outcome_of(future: "Future[Result]", thing: str) -> Result:
    """What a base gives back.

    Raises:
        ProblemError: 422, it refuses the question; 500, it failed.
    """
    return await told(asyncio.wrap_future(future), thing)


async def told(awaited: Awaitable[Result], thing: str) -> Result:
    """As `outcome_of`, of anything that may be awaited."""
    try:
        return await awaited
    except UserError as refusal:
        raise refused(refusal, thing) from None
    except ClosedError:
        raise replaced() from None
    except RuntimeError as fault:
        _log.error("a request failed: %s", fault)
        raise internal() from None


def refused(refusal: UserError, thing: str) -> ProblemError:
    """A refusal of the library as the service tells it."""
    return ProblemError(422, thing, "refused", str(refusal), "change the request, or ask another model")
