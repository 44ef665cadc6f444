"""API keys. Only their SHA-256 is kept: a key has 256 random bits, so that no slower digest makes guessing harder."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from videoguard.errors import UserError, refuse_all

PREFIX = "vg_"
VARIABLE = "VIDEO_GUARD_API_KEYS"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ENTRY = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})")


class ApiKeys:
    """The keys that are known, by their names."""

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = dict(digests)

    def __len__(self) -> int:
        return len(self._digests)

    def find(self, key: str) -> str | None:
        """Name of a key; None where it is not known. Takes as long for every key."""
        given = digest_key(key)
        found = None
        for name, digest in self._digests.items():
            if hmac.compare_digest(given, digest):
                found = name
        return found


def digest_key(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def load_keys(file: Path | None, variable: str | None) -> ApiKeys:
    """The keys of a file, a line `name:digest` each, and of an environment variable, where commas part them.

    Raises:
        UserError: the file cannot be read, or an entry is not of that form.
    """
    entries: list[tuple[str, str]] = []
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as unreadable:
            raise UserError(
                f"--api-keys {file} cannot be read: {unreadable}; `video-guard api-key NAME --file {file}` makes it"
            ) from None
        entries += [(f"{file}, line {number}", line) for number, line in enumerate(lines, start=1)]
    entries += [(f"{VARIABLE}, entry {number}", entry) for number, entry in enumerate((variable or "").split(","), start=1)]
    written = [(place, entry.strip()) for place, entry in entries if entry.strip() and not entry.lstrip().startswith("#")]
    read = [(place, _ENTRY.fullmatch(entry)) for place, entry in written]
    refuse_all("API keys", (f"{place} is not NAME:SHA-256 in hexadecimal digits" for place, found in read if found is None))
    return ApiKeys({found[1]: found[2] for _, found in read if found is not None})


def make_key(name: str, file: Path) -> str:
    """A new key, whose digest is added to a file; the key itself is kept nowhere.

    Raises:
        UserError: the name is taken or not allowed, or the file cannot be written.
    """
    if _NAME.fullmatch(name) is None:
        raise UserError(f"the name of a key is {name!r}: it must have 1 to 64 letters, digits, dots, dashes or underscores")
    known = load_keys(file, None) if file.exists() else ApiKeys({})
    if name in known._digests:
        raise UserError(f"{file} has a key {name} already: take another name, or delete its line to withdraw it")
    key = PREFIX + secrets.token_urlsafe(32)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as lines:
            lines.write(f"{name}:{digest_key(key)}\n")
    except OSError as fault:
        raise UserError(f"{file} cannot be written: {fault.strerror}") from None
    return key
