"""A child process that behaves as its request says; run by the tests of `videoguard.subprocesses` as `child`."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from pydantic import BaseModel

from videoguard.errors import UnavailableError, UserError
from videoguard.subprocesses import Emit, call, end_with_parent


class Wanted(BaseModel):
    """What to do, and with what."""

    deed: str
    text: str = ""
    numbers: list[int] = []
    folder: Path = Path()


class Done(BaseModel):
    """What was done."""

    text: str
    threads: str


def behave(wanted: Wanted, emit: Emit) -> Done:
    """Do the deed."""
    globals()[f"_{wanted.deed}"](wanted, emit)
    return Done(text=wanted.text, threads=os.environ["OMP_NUM_THREADS"])


def _count(wanted: Wanted, emit: Emit) -> None:
    for number in wanted.numbers:
        emit({"number": number})


def _tell_process(wanted: Wanted, emit: Emit) -> None:
    emit({"process": os.getpid()})


def _chatter(wanted: Wanted, emit: Emit) -> None:
    """Print as libraries do: without line feeds, to both streams, from C and from a process of its own."""
    for number in wanted.numbers:
        sys.stdout.write(f"loading {number}%\r")
        sys.stderr.write("warning: half a line")
        os.write(1, b"\xff raw bytes ")
        subprocess.run([sys.executable, "-c", "print('a grandchild', end='')"], check=True)
        emit({"number": number})
        print("not a record: \x1e[1]", flush=True)


def _refuse(wanted: Wanted, emit: Emit) -> None:
    raise UserError(wanted.text)


def _miss(wanted: Wanted, emit: Emit) -> None:
    raise UnavailableError(wanted.text)


def _crash(wanted: Wanted, emit: Emit) -> None:
    for line in range(100):
        print(f"line {line}")
    raise ZeroDivisionError(wanted.text)


def _exit(wanted: Wanted, emit: Emit) -> None:
    print("bye")
    os._exit(3)


def _be_killed(wanted: Wanted, emit: Emit) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _sleep(wanted: Wanted, emit: Emit) -> None:
    _note_pid(wanted.folder)
    emit({"sleeping": True})
    time.sleep(600)


def _sleep_in_pool(wanted: Wanted, emit: Emit) -> None:
    """Wait for worker processes, which hold this process's output open."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
        futures = [pool.submit(_sleep_long, wanted.folder) for _ in range(2)]
        futures[0].result()


def _fork(wanted: Wanted, emit: Emit) -> None:
    """Have a forked worker process do something."""
    time.sleep(0.2)  # the thread that waits for the caller's end is at its work by then
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"), initializer=end_with_parent) as pool:
        emit({"sum": pool.submit(sum, wanted.numbers).result()})


def _sleep_long(folder: Path) -> None:
    _note_pid(folder)
    time.sleep(600)


def _be_parent(wanted: Wanted, emit: Emit) -> None:
    """Start a child of the same kind and wait for it."""
    _note_pid(wanted.folder)
    call("child", Wanted(deed=wanted.text, folder=wanted.folder), Done, threads=1, timeout_s=600)


def _note_pid(folder: Path) -> None:
    (folder / str(os.getpid())).touch()


SERVED = (Wanted, behave)
