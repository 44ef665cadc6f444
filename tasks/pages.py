"""What the Prefect pages show of a run: a bar for each step while it works, and what was computed and what was reused."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import cast
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.exceptions import PrefectException

from videoguard.progress import Progress, Totals
from videoguard.summary import StepAccount

_EVERY_SECONDS = 5.0
_log = logging.getLogger(__name__)


class ProgressPages:
    """A listener that keeps one Prefect progress artifact for each step, written every few seconds.

    A server that does not answer holds no step up: the bar stays where it was.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals = Totals()
        self._bars: dict[str, UUID] = {}
        self._written: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        """Called by whatever thread the step runs in."""
        with self._lock:
            done, of = self._totals.add(progress)
            last = self._written.get(progress.step)
            if last is not None and time.monotonic() - last < _EVERY_SECONDS and done < of:
                return
            self._written[progress.step] = time.monotonic()
            try:
                self._write(progress, done, of)
            except (httpx.HTTPError, PrefectException) as fault:
                _log.debug("the progress of %s was not written: %s", progress.step, fault)

    def _write(self, progress: Progress, done: int, of: int) -> None:
        share = 100.0 * done / of if of else 0.0
        told = f"{progress.step}: {done:,} of {of:,}" + (f", {progress.note}" if progress.note else "")
        if progress.step in self._bars:
            update_progress_artifact(self._bars[progress.step], share, told)
        else:
            key = progress.step.replace(" ", "-")
            self._bars[progress.step] = cast("UUID", create_progress_artifact(share, key=key, description=told))


def show_account(steps: Sequence[StepAccount]) -> None:
    """A table of what the run computed and what it reused."""
    saved = sum(step.saved_seconds for step in steps)
    create_table_artifact(
        [
            {
                "step": step.step,
                "computed": step.computed,
                "reused": step.reused,
                "seconds": round(step.seconds, 1),
                "seconds saved": round(step.saved_seconds, 1),
                "note": step.note,
            }
            for step in steps
        ],
        key="computed-and-reused",
        description=f"{saved:.0f} s saved by what was stored",
    )
