"""Videos from allowed hosts; a redirect is followed only to one of these, and no private address is asked unless allowed."""

import asyncio
import hashlib
import os
import socket
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2

from videoguard.serving.problems import ProblemError
from videoguard.serving.settings import ServeSettings

_MOST_REDIRECTS = 5
_PATIENCE_S = 10.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def fetch(url: str, file: Path, settings: ServeSettings) -> tuple[str, int]:
    """Write what a URL gives into a new file; SHA-256 and size.

    Raises:
        ProblemError: the host is not allowed or does not give it, or it is too large.
    """
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=_PATIENCE_S) as client:
        for _ in range(_MOST_REDIRECTS + 1):
            request = await _request(client, url, settings)
            try:
                response = await client.send(request, stream=True)
                try:
                    if response.status_code in _REDIRECTS and "location" in response.headers:
                        url = urljoin(url, response.headers["location"])
                        continue
                    if response.status_code != 200:
                        raise _not_given(url, f"it answered with status {response.status_code}")
                    return await _write(response, file, settings, url)
                finally:
                    await response.aclose()
            except (httpx2.TransportError, httpx2.StreamError, httpx2.InvalidURL) as fault:
                raise _not_given(url, type(fault).__name__) from None
    raise _not_given(url, f"it led on more than {_MOST_REDIRECTS} times")


async def _request(client: httpx2.AsyncClient, url: str, settings: ServeSettings) -> httpx2.Request:
    """A request to the very address that was looked at, so that no second look-up can lead elsewhere."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise ProblemError(422, "url", url, "it must be a URL", "give one such as https://host/clip.mp4") from None
    if parts.scheme not in {"http", "https"} or parts.username is not None:
        raise ProblemError(
            422, "url", url, "it must be http or https, without a password", "give one such as https://host/clip.mp4"
        )
    if host not in {allowed.lower() for allowed in settings.hosts}:
        allowed = ", ".join(settings.hosts) or "none: the service was started without --allow-host"
        raise ProblemError(
            403, "url", host, f"the hosts that it may name are {allowed}", "name one of these, or upload the video"
        )
    address = await _address(host, port or (443 if parts.scheme == "https" else 80), settings)
    literal = f"[{address}]" if ":" in address else address
    netloc = literal if port is None else f"{literal}:{port}"
    pinned = parts._replace(netloc=netloc, fragment="").geturl()
    name = host if port is None else f"{host}:{port}"
    try:
        return client.build_request("GET", pinned, headers={"host": name}, extensions={"sni_hostname": host})
    except httpx2.InvalidURL:
        raise ProblemError(422, "url", url, "it must be a URL", "give one such as https://host/clip.mp4") from None


async def _address(host: str, port: int, settings: ServeSettings) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _not_given(host, "there is no such host") from None
    addresses = [str(each[4][0]).partition("%")[0] for each in found]
    usable = [each for each in addresses if settings.allow_private or ip_address(each).is_global]
    if not usable:
        raise ProblemError(
            403, "url", host, "it stands for a private address", "allow those with --allow-private, or upload the video"
        )
    return usable[0]


async def _write(response: httpx2.Response, file: Path, settings: ServeSettings, url: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as written:
        # As it is sent: what a host compresses is not unpacked.
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > settings.most_bytes:
                most = f"a video may have {settings.max_upload_mb:g} MiB (--max-upload-mb)"
                raise ProblemError(413, "url", url, most, "name a smaller one")
            digest.update(chunk)
            written.write(chunk)
    return digest.hexdigest(), size


def _not_given(url: str, reason: str) -> ProblemError:
    return ProblemError(422, "url", url, f"it must give a video, and {reason}", "check it, or upload the video")
