"""Metrics of a running training, sent to MLflow in the background: a slow or absent MLflow holds nothing up."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from videoguard.registry.tracking import CONNECTION_FAULTS, Tracking

_AGAIN_SECONDS = 5.0
_CLOSE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class LiveRun:
    """An MLflow run that is made, and fed with metrics, by a thread of its own while the block lasts.

    The run's id is noted in a file, so that a training that was killed goes on in the same run.
    """

    def __init__(
        self,
        connect: Callable[[], Tracking],
        note: Path,
        name: str,
        settings: Mapping[str, object],
        tags: Mapping[str, str],
    ) -> None:
        self._connect = connect
        self._note = note
        self._new = (name, settings, tags)
        self._waiting: deque[tuple[Mapping[str, float], int]] = deque()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._failed = False
        self.run_id: str | None = None
        self.complete = False
        """Whether MLflow has everything, once the block has ended."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Send metrics of one step, some time soon."""
        self._waiting.append((dict(metrics), step))
        self._changed.set()

    def __enter__(self) -> "LiveRun":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._failed = error is not None
        self._closing.set()
        self._changed.set()
        self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        tracking: Tracking | None = None
        warned = False
        while True:
            try:
                tracking = tracking or self._connect()
                self._start(tracking)
                closing = self._closing.is_set()
                self._send(tracking)
                if closing:
                    self._end(tracking)
                    return
                self._changed.wait()
                self._changed.clear()
            except CONNECTION_FAULTS as fault:
                if not warned:
                    first_line = str(fault).strip().splitlines()[0]
                    _log.warning("MLflow does not answer (%s): the training goes on, its metrics are sent later", first_line)
                    warned = True
                tracking = None
                if self._closing.wait(_AGAIN_SECONDS):
                    return

    def _start(self, tracking: Tracking) -> None:
        if self.run_id is not None:
            return
        known = self._note.read_text(encoding="ascii") if self._note.is_file() else None
        if known is not None and tracking.has_run(known):
            tracking.reopen(known)
            self.run_id = known
            return
        run_id = tracking.start_run(*self._new)
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(run_id, encoding="ascii")
        self.run_id = run_id

    def _send(self, tracking: Tracking) -> None:
        assert self.run_id is not None
        while self._waiting:
            metrics, step = self._waiting[0]
            tracking.log_metrics(self.run_id, metrics, step)
            self._waiting.popleft()

    def _end(self, tracking: Tracking) -> None:
        if self._failed and self.run_id is not None:
            tracking.finish(self.run_id, succeeded=False)
        self.complete = True
