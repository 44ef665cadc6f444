"""`python -m commands.leash PROGRAM ARGUMENT…`: a program that ends, with all it started, when its holder does.

The holder keeps the leash's standard input open. When that closes, because the holder let go or was killed, every process
below the leash is asked to end, and killed where it does not.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

PATIENCE_SECONDS = 15.0
"""How long what is asked to end has for it."""
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
_BY_SIGNAL = 128  # what a shell adds to the number of the signal
_POLL_SECONDS = 0.2


def main(command: Sequence[str]) -> int:
    """Run the program; its exit status, once nothing that it started is left."""
    # A process whose parent ended stays below this one, also where it has a session of its own.
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    let_go = threading.Event()
    threading.Thread(target=_notice, args=(let_go,), daemon=True).start()
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  the commands are the program's own
    while program.poll() is None and not let_go.is_set():
        let_go.wait(_POLL_SECONDS)
    _end_all_below()
    status = program.wait()
    return status if status >= 0 else _BY_SIGNAL - status


def _notice(let_go: threading.Event) -> None:
    # Not through sys.stdin: its lock would be held at the interpreter's end.
    while os.read(0, 1024):
        pass
    let_go.set()


def _end_all_below() -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for process in _below():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, sign)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _below() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def _below() -> list[int]:
    """Every process that this one, or one that it started, has started and that still runs; the nearest first."""
    children: dict[int, list[int]] = defaultdict(list)
    running: set[int] = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # Behind the name, which may hold anything, in brackets: state, parent.
            state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            children[int(parent)].append(int(folder.name))
            if state not in "ZX":
                running.add(int(folder.name))
    found = list(children[os.getpid()])
    for process in found:
        found += children[process]
    return [process for process in found if process in running]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
