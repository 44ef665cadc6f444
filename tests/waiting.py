"""Waiting for what another process or thread does in its own time."""

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], bool], patience_s: float = 20.0) -> None:
    """Return as soon as it happened; the test fails where it does not within so many seconds."""
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {patience_s:.0f} s"
        time.sleep(0.02)
