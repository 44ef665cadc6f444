"""Long-running programs under one parent: logs in files, watched, and ended with all that they started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from commands.leash import PATIENCE_SECONDS
from videoguard.errors import UnavailableError

_POLL_SECONDS = 0.2
_TAIL_LINES = 20


@dataclass(frozen=True)
class Program:
    """A program that runs."""

    name: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def refuse_ended(self) -> None:
        """Return while the program runs.

        Raises:
            UnavailableError: it has ended; the message holds the end of its log.
        """
        status = self.process.poll()
        if status is not None:
            raise UnavailableError(f"{self.name} ended with status {status}; the end of {self.log}:\n{tail(self.log)}")


@contextmanager
def started(name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[Program]:
    """A program that runs within the block, without the terminal's signals; after it, nothing it started is left.

    Args:
        name: what messages call it.
        command: the program and its arguments.
        log: gets its output; that of the start before is kept as `.1`.
        environment: of the program, whole.
    """
    with _fresh(log).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  the commands are the program's own
            [sys.executable, "-m", "commands.leash", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    try:
        yield Program(name, log, process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(3 * PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(ready: Callable[[], bool], what: str, programs: Sequence[Program], seconds: float) -> None:
    """Return once `ready()` holds.

    Raises:
        UnavailableError: a program ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        for program in programs:
            program.refuse_ended()
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"{what} did not come within {seconds:.0f} s; the end of {programs[-1].log}:\n{tail(programs[-1].log)}"
            )
        time.sleep(_POLL_SECONDS)


def tail(log: Path) -> str:
    """The last lines of a log, set in; a line that says so where there is none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    written = [line for line in lines if line.strip()][-_TAIL_LINES:]
    return "\n".join(f"  {line}" for line in written) or "  (it is empty)"


def _fresh(log: Path) -> Path:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    return log
