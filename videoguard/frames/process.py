"""One decoding process, seen from both of its ends.

It is spawned, not forked: the caller may have threads and hold a model.
"""

import multiprocessing
import os
import pickle
import resource
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic

from videoguard.frames.decoding import DecodeError
from videoguard.frames.images import read_images
from videoguard.frames.rule import FrameRule
from videoguard.frames.workers import OUT_OF_MEMORY, EncodedVideo
from videoguard.manifests.sample import MediaSource

_START_S = 120.0
_EXIT_S = 5.0
_MB = 1 << 20

ReadVideo = Callable[[Path, FrameRule], EncodedVideo]


@dataclass(frozen=True)
class Refusal:
    """Why a video has no frames."""

    reason: str
    lasting: bool
    """Whether the content itself is the cause, so that the same rule and code would refuse it again; a crash, a time-out or
    too little memory may be the machine's fault."""


Outcome = EncodedVideo | Refusal
"""Frames of a video, or the reason why it has none."""


class MishapError(Exception):
    """A process ended or took too long, at a video that need not be the cause."""


@dataclass
class Job:
    """One video, or list of images, to read, and how attempts at it have ended."""

    number: int
    source: MediaSource
    rule: FrameRule
    read: ReadVideo
    mishaps: list[str] = field(default_factory=list)
    alone: bool = False
    """Not to be read in a batch with others: it may have ended the process of its last."""


@dataclass(frozen=True)
class Answer:
    """What came back of a batch."""

    outcomes: list[tuple[int, Outcome]]
    """Number and outcome of each of its videos; empty where the process told that it has started."""
    seconds: float = 0.0
    """How long the batch took."""


class DecodingProcess:
    """The parent's end: batches of videos are given, their outcomes received in the same order."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        # Else the end of the process would not end the connection.
        theirs.close()
        self._started = False
        self._timeout_s = 0.0
        self.batches: deque[list[Job]] = deque()
        """What is given and not yet received; the process is at the first."""
        self.deadline = monotonic() + _START_S
        """Until when (`time.monotonic`) the process may be at the first."""

    def give(self, batch: list[Job], timeout_s: float, memory_mb: int) -> None:
        """Hand over videos of one rule, with the longest time for them together, seconds, and the memory for each, MiB."""
        self._timeout_s = timeout_s
        self.batches.append(batch)
        if self._started and len(self.batches) == 1:
            self._wind_clock()
        order = (batch[0].read, batch[0].rule, [job.source for job in batch], memory_mb)
        # Where the process has ended, `receive` tells how.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(pickle.dumps(order))

    def receive(self) -> Answer:
        """What the process tells.

        Raises:
            MishapError: the process has ended.
            RuntimeError: a fault of the program in the process, or the process did not start.
        """
        try:
            message = pickle.loads(self.connection.recv_bytes())  # noqa: S301  # from a process of this program
        except (EOFError, OSError):
            self._process.join(_EXIT_S)
            raise self._mishap(f"the decoding process {_ending(self._process.exitcode)}") from None
        self._wind_clock()
        if not self._started:
            self._started = True
            return Answer([])
        outcomes, seconds = message
        batch = self.batches.popleft()
        for job, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, _Fault):
                raise RuntimeError(f"{job.source}: the decoding process failed\n{outcome.traceback}")
        return Answer([(job.number, outcome) for job, outcome in zip(batch, outcomes, strict=True)], seconds)

    def check_time(self) -> None:
        """Raise `MishapError` where the first batch takes too long (`RuntimeError` where the start does)."""
        if self.batches and monotonic() >= self.deadline:
            raise self._mishap(f"decoding took longer than {self._timeout_s:g} s")

    def end(self) -> None:
        """Kill the process where it still runs."""
        self._process.kill()
        self._process.join()
        self.connection.close()

    def _wind_clock(self) -> None:
        self.deadline = monotonic() + self._timeout_s

    def _mishap(self, what: str) -> Exception:
        # No video is to blame for a process that never got to one.
        if self._started:
            return MishapError(what)
        return RuntimeError(f"the decoding processes do not start (limit {_START_S:g} s): {what}")


@dataclass(frozen=True)
class _Fault:
    """An exception that says nothing about the video: a fault of the program."""

    traceback: str


def _serve(connection: Connection) -> None:
    """Read videos until the parent closes the connection or ends."""
    import av  # noqa: F401  # takes longer than a tiny clip: it belongs to the start, not to the first video's time

    # Ctrl-C reaches every process of the terminal; the parent decides what then ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _silence()
    idle_bytes = _data_bytes()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send_bytes(pickle.dumps("started"))
        while True:
            order = connection.recv_bytes()
            read, rule, sources, memory_mb = pickle.loads(order)  # noqa: S301  # from the program that started this one
            _limit_memory(idle_bytes + memory_mb * _MB)
            began = monotonic()
            outcomes = [_read(read, source, rule) for source in sources]
            connection.send_bytes(pickle.dumps((outcomes, monotonic() - began)))


def _read(read: ReadVideo, source: MediaSource, rule: FrameRule) -> Outcome | _Fault:
    try:
        return read(source, rule) if isinstance(source, Path) else read_images(source, rule)
    except DecodeError as error:
        return Refusal(error.reason, lasting=error.reason != OUT_OF_MEMORY)
    except MemoryError:
        return Refusal(OUT_OF_MEMORY, lasting=False)
    except Exception:  # noqa: BLE001  # told to the parent, which raises it
        return _Fault(traceback.format_exc())


def _limit_memory(most_bytes: int) -> None:
    """Let the kernel refuse what would take the private memory of this process above `most_bytes`.

    Kept by the kernel at each allocation, where watching the resident size from outside would come too late for a decoder
    that takes gigabytes in a moment. It limits data (`RLIMIT_DATA`: the heap and private writable mappings, since Linux 4.7)
    and not the address space, of which libraries and the reserves of threads take hundreds of megabytes that are never used.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _data_bytes() -> int:
    """Private memory of this process, as `RLIMIT_DATA` counts it."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(pages[5]) * resource.getpagesize()


def _end_with_parent() -> None:
    """End at once when the parent is gone, even killed, and even where a broken file keeps the decoder busy."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _silence() -> None:
    """Close standard error: the C libraries write their own words there, and the reason of a failure comes back by name."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)


def _ending(status: int | None) -> str:
    if status is None:
        return "hung up"
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
