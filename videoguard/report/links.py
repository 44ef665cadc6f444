"""Addresses that a cell opens."""

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import quote, urlsplit, urlunsplit

LONGEST_ADDRESS = 2_079
"""Most characters of a hyperlink that Excel keeps."""

_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.\-:\[\]]+")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What RFC 3986 allows in a path; a query and a fragment may also hold "?". "%" stays, as web addresses come encoded.
_PATH_CHARACTERS = "%/:@!$&'()*+,;=~"


def web_link(value: str) -> str | None:
    """The address of a page, valid by RFC 3986, or None where the value is not one; a user name in it is refused."""
    if not _WEB.match(value) or any(map(str.isspace, value)) or _CONTROL.search(value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    if not _HOST.fullmatch(parts.netloc):
        return None
    path, query, fragment = (_STRAY_PERCENT.sub("%25", part) for part in (parts.path, parts.query, parts.fragment))
    encoded = (quote(path, _PATH_CHARACTERS), quote(query, _PATH_CHARACTERS + "?"), quote(fragment, _PATH_CHARACTERS + "?"))
    return _fitting(urlunsplit((parts.scheme, parts.netloc, *encoded)))


def video_link(video: str, media_root: Path | None, opened_from: Path) -> str | None:
    """The address of a video as the rows name it, or None where no safe one can be made.

    A relative path is joined to `media_root` and told from `opened_from`, the folder that the workbook is opened in, so
    that both can be moved together; without a media root it is taken as it is written. Only files and web pages are linked.
    """
    if not video.strip() or _CONTROL.search(video):
        return None
    if "://" in video:
        return web_link(video)
    if _WINDOWS_DRIVE.match(video):
        return _fitting(PureWindowsPath(video).as_uri())
    if PurePosixPath(video).is_absolute():
        return _fitting(PurePosixPath(video).as_uri())
    if media_root is None:
        return _fitting(quote(PurePosixPath(video).as_posix()))
    return _fitting(quote(Path(os.path.relpath(media_root / video, opened_from)).as_posix()))


def _fitting(address: str) -> str | None:
    return address if len(address) <= LONGEST_ADDRESS else None
