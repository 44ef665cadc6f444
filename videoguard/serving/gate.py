"""What a request passes before it is read: who asks, whether there is room, how large it may be, how long it may take."""

import asyncio
import json
import re
import uuid
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import monotonic
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from videoguard.serving.audit import AuditLog
from videoguard.serving.counters import Counters
from videoguard.serving.keys import ApiKeys
from videoguard.serving.problems import PROBLEM_TYPE, ProblemError
from videoguard.serving.settings import MB, ServeSettings

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What a program that watches the service, or a browser before it has a key, must reach.
_OPEN = ("/health", "/ready")
_CLOSED = ("/v1/", "/metrics")
LONGEST_HEADERS = 64 << 10
"""Bytes."""
_LONGEST_RETRY_S = 60
_SMOOTHING = 0.1


@dataclass
class Life:
    """One request on its way through the service."""

    request_id: str
    key: str | None
    deadline: float
    """Until when (`time.monotonic`) it must be answered."""
    facts: dict[str, object] = field(default_factory=dict)
    """What the audit log tells of it besides: models, sizes, counts."""

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return max(0.0, self.deadline - monotonic())


class Gate:
    """The outermost layer of the service."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, keys: ApiKeys, counters: Counters, audit: AuditLog) -> None:
        self._app, self._settings, self._keys = app, settings, keys
        self._counters, self._audit = counters, audit
        self._under_way = 0
        self._usual_s = 1.0
        own = {"localhost", "127.0.0.1", "::1", settings.host.lower(), *map(str.lower, settings.public_names)}
        self._names = frozenset(own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        life = Life(request_id, None, monotonic() + self._settings.timeout)
        scope.setdefault("state", {})["life"] = life
        told = _Told(send, request_id)
        try:
            life.key = self._admit(scope["path"], headers)
            if scope["method"] == "POST" and scope["path"].startswith("/v1/"):
                await self._work(scope, receive, told, headers, life)
            else:
                await self._app(scope, receive, told)
        except ProblemError as problem:
            await told.problem(problem)

    async def _work(self, scope: Scope, receive: Receive, told: "_Told", headers: Headers, life: Life) -> None:
        """Give a request a place, and let it in."""
        self._require_readable(headers)
        if self._under_way >= self._settings.queue:
            self._counters.turned_away.inc()
            wait = min(_LONGEST_RETRY_S, max(1, round(self._usual_s)))
            raise ProblemError(
                429, "requests under way", self._under_way, f"the service takes {self._settings.queue} at a time (--queue)",
                f"try again in {wait} s", {"Retry-After": str(wait)},
            )  # fmt: skip
        self._under_way += 1
        self._counters.under_way.set(self._under_way)
        began = monotonic()
        endpoint = scope["path"] if len(scope["path"]) < 64 else "other"
        client = (scope.get("client") or ("",))[0]
        self._audit.write("accepted", life.request_id, endpoint=endpoint, client=client, key=life.key)
        body = _Body(receive, headers, self._settings, life)
        try:
            await self._app(scope, body, told)
        finally:
            seconds = monotonic() - began
            self._under_way -= 1
            self._counters.under_way.set(self._under_way)
            route = getattr(scope.get("route"), "path", "other")
            self._counters.requests.labels(route, told.status).inc()
            self._counters.seconds.labels(route).observe(seconds)
            if told.status == 200:
                self._usual_s += _SMOOTHING * (seconds - self._usual_s)
            facts = {"status": told.status, "bytes": body.size, "seconds": round(seconds, 3), **life.facts}
            self._audit.write("ended", life.request_id, endpoint=endpoint, **facts)

    def _admit(self, path: str, headers: Headers) -> str | None:
        """Name of the key that a request gives; None where none is needed."""
        size = sum(len(name) + len(value) for name, value in headers.raw)
        if size > LONGEST_HEADERS:
            rule = f"they may have {LONGEST_HEADERS >> 10} KiB together"
            raise ProblemError(431, "the headers", f"{size:,} bytes", rule, "send fewer or shorter ones")
        if not len(self._keys):
            self._require_own_name(headers)
            return None
        if path in _OPEN or not path.startswith(_CLOSED):
            return None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")
        name = self._keys.find(given) if given else None
        if name is None:
            raise ProblemError(
                401, "API key", "not known" if given else None, "the service answers those who have one",
                "send it as `Authorization: Bearer KEY`", {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        return name

    def _require_own_name(self, headers: Headers) -> None:
        """Refuse what a page of another site has a browser send: without keys, nothing else tells it from the user."""
        host = headers.get("host", "")
        if _host_of(f"//{host}") not in self._names:
            raise ProblemError(
                403, "Host", host, f"without API keys the service answers to {', '.join(sorted(self._names))}",
                "use one of these names, or name this one with --public-name",
            )  # fmt: skip
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise ProblemError(
                403, "Origin", origin, "without API keys only the service's own page may ask", "open the page of the service"
            )

    def _require_readable(self, headers: Headers) -> None:
        coding = headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise ProblemError(415, "Content-Encoding", coding, "requests are not decompressed", "send the request as it is")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > _most_bytes(headers, self._settings):
            raise _too_large(headers, self._settings)


class _Body:
    """The body of a request, counted and under its deadline."""

    def __init__(self, receive: Receive, headers: Headers, settings: ServeSettings, life: Life) -> None:
        self._receive, self._headers, self._settings, self._life = receive, headers, settings, life
        self._is_read = False
        self.size = 0

    async def __call__(self) -> Message:
        # What comes after the body is the client's going, which has no deadline.
        if self._is_read:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._life.seconds_left)
        except TimeoutError:
            raise ProblemError(
                408, "the request", f"not whole after {self._settings.timeout:g} s", "it must be sent by then (--timeout)",
                "try again, with a smaller video",
            ) from None  # fmt: skip
        self.size += len(message.get("body", b""))
        self._is_read = not message.get("more_body", False)
        if self.size > _most_bytes(self._headers, self._settings):
            raise _too_large(self._headers, self._settings)
        return message


class _Told:
    """What is sent back: remembers the status, and marks every answer with the number of its request."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(b"x-request-id", self._request_id.encode("ascii")), (b"x-content-type-options", b"nosniff")]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await self._send(message)

    async def problem(self, problem: ProblemError) -> None:
        """Answer with a problem, where no answer has begun."""
        if self.status:
            return
        body = json.dumps(problem.content(self._request_id)).encode()
        fields = {"content-type": PROBLEM_TYPE, "content-length": str(len(body)), **problem.headers}
        headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in fields.items()]
        await self({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_upload(headers: Headers) -> bool:
    return headers.get("content-type", "").lower().startswith("multipart/form-data")


def _most_bytes(headers: Headers, settings: ServeSettings) -> int:
    return settings.most_bytes if _is_upload(headers) else min(settings.most_bytes, int(settings.max_json_mb * MB))


def _too_large(headers: Headers, settings: ServeSettings) -> ProblemError:
    option = "--max-upload-mb" if _is_upload(headers) else "--max-json-mb, --max-upload-mb"
    return ProblemError(
        413, "the request", f"over {_most_bytes(headers, settings) / MB:g} MiB", f"this is the most ({option})",
        "send a smaller video",
    )  # fmt: skip
