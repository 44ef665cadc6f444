"""Metrics of a running training, sent to MLflow in the background: a slow or absent MLflow holds nothing up."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from videoguard.registry.load import SystemLoad
from videoguard.registry.request import NewRun
from videoguard.registry.tracking import CONNECTION_FAULTS, Tracking

_AGAIN_SECONDS = 5.0
_CLOSE_SECONDS = 10.0
_SYSTEM = "system/"
_log = logging.getLogger(__name__)


class LiveRun:
    """An MLflow run that is made, and fed with metrics, by a thread of its own while the block lasts.

    Where `parent` is given, the run is made below it. The ids are noted in a file, so that a training that was killed goes
    on in the same runs. Every few seconds the load of the machine is sent too.
    """

    def __init__(
        self,
        connect: Callable[[], Tracking],
        note: Path,
        run: NewRun,
        parent: NewRun | None = None,
        *,
        load_seconds: float = 10.0,
    ) -> None:
        self._connect = connect
        self._note = note
        self._new, self._above = run, parent
        self._load_seconds = load_seconds
        self._waiting: deque[tuple[Mapping[str, float], int, int]] = deque()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._failed = False
        self._settled, self._late = threading.Event(), threading.Event()
        self.run_id: str | None = None
        self.parent_run_id: str | None = None
        self.complete = False
        """Whether MLflow has everything, once the block has ended."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Send metrics of one step, some time soon."""
        self._waiting.append((dict(metrics), step, int(time.time() * 1000)))
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
        self._settled.wait(_CLOSE_SECONDS)
        if not self.complete:
            # The step registry sends the curves from the training's log; the load of the machine is nowhere else.
            self._late.set()

    def _work(self) -> None:
        tracking: Tracking | None = None
        warned = False
        self._load = SystemLoad(self._load_seconds)
        while True:
            try:
                tracking = tracking or self._connect()
                self._start(tracking)
                closing = self._closing.is_set()
                self._send(tracking)
                if closing:
                    self._end(tracking)
                    return
                self._changed.wait(self._load.seconds_left())
                self._changed.clear()
                self._measure()
            except CONNECTION_FAULTS as fault:
                if not warned:
                    first_line = str(fault).strip().splitlines()[0]
                    _log.warning("MLflow does not answer (%s): the training goes on, its metrics are sent later", first_line)
                    warned = True
                tracking = None
                if self._closing.is_set():
                    self._settled.set()
                self._pause()
                self._measure()

    def _pause(self) -> None:
        """Wait before another try; once the block has ended, no longer than it waits itself."""
        if self._closing.is_set():
            time.sleep(_AGAIN_SECONDS)
        else:
            self._closing.wait(_AGAIN_SECONDS)

    def _measure(self) -> None:
        if not self._closing.is_set() and self._load.seconds_left() <= 0:
            load, step = self._load.measure()
            self._waiting.append(
                ({f"{_SYSTEM}{name}": value for name, value in load.items()}, step, int(time.time() * 1000))
            )

    def _start(self, tracking: Tracking) -> None:
        if self.run_id is not None:
            return
        noted = self._note.read_text(encoding="ascii").split() if self._note.is_file() else []
        if len(noted) == (1 if self._above is None else 2) and all(map(tracking.has_run, noted)):
            for run_id in noted:
                tracking.reopen(run_id)
            self._load.go_on_after(tracking.steps_of(noted[0], f"{_SYSTEM}{SystemLoad.MEASURE}"))
        elif self._late.is_set():
            # The step registry makes the runs.
            raise OSError("the training has ended")
        else:
            above = [] if self._above is None else [tracking.open_run(self._above)]
            noted = [tracking.open_run(self._new, *above), *above]
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_text(" ".join(noted), encoding="ascii")
        self.parent_run_id = noted[1] if len(noted) == 2 else None
        self.run_id = noted[0]

    def _send(self, tracking: Tracking) -> None:
        assert self.run_id is not None
        while self._waiting:
            metrics, step, time_ms = self._waiting[0]
            if not self._late.is_set() or any(name.startswith(_SYSTEM) for name in metrics):
                tracking.log_metrics(self.run_id, metrics, step, time_ms=time_ms)
            self._waiting.popleft()

    def _end(self, tracking: Tracking) -> None:
        if self._failed:
            for run_id in filter(None, (self.run_id, self.parent_run_id)):
                tracking.finish(run_id, succeeded=False)
        self.complete = not self._late.is_set()
        self._settled.set()
