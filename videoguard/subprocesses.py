"""Work in a process of its own: its memory is freed, its threads are pinned, and a crash is a failed attempt.

The parent writes one JSON request to the child's standard input and keeps it open: when it closes, because the parent
died, the child ends. The child answers on its standard output with JSON text sequences (RFC 7464): lines that start with
the record separator carry an event, the reply or a refusal; every other line is log text.
"""

import contextlib
import fcntl
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TextIO, TypeVar

from pydantic import BaseModel

from videoguard.errors import UnavailableError, UserError
from videoguard.importing import importing

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)
Event = dict[str, Any]
Emit = Callable[[Event], None]

_CHILD = (sys.executable, "-m", "videoguard.child")
_SEPARATOR = "\x1e"
_REFUSED = 2
_UNAVAILABLE = 1
_EXHAUSTED = 3
_KEPT_LINES = 40
_GROUP_END_SECONDS = 20.0
_log = logging.getLogger(__name__)
_stopping = threading.Event()
_running: set["subprocess.Popen[str]"] = set()
_kept: "_KeptProcesses | None" = None


class ProcessFailedError(Exception):
    """A child process ended without a reply; the message holds its exit status and the end of its output."""


class MemoryExhaustedError(Exception):
    """The work needs more memory than there is; less of it at once may fit."""


_FAILURES: Mapping[str, type[Exception]] = {
    "refused": UserError,
    "unavailable": UnavailableError,
    "exhausted": MemoryExhaustedError,
    "crashed": ProcessFailedError,
}


def call(
    module: str,
    request: BaseModel,
    reply_type: type[Reply],
    *,
    threads: int,
    timeout_s: float,
    on_event: Emit | None = None,
) -> Reply:
    """Have a process of its own answer a request, and return the reply.

    Args:
        module: has `SERVED`, the type of its request and its handler, in itself or in its `__main__` part.
        request: handed over as JSON.
        reply_type: what the handler returns.
        threads: of the child's numeric libraries on a CPU.
        timeout_s: seconds after which the child is killed.
        on_event: called with each event as it comes.

    Raises:
        UserError: the child refused its input.
        UnavailableError: what the child needs does not answer.
        MemoryExhaustedError: the child ran out of memory, and could say so.
        ProcessFailedError: the child crashed or was killed, or the user has interrupted the program.
    """
    content = request.model_dump_json()
    kept = _kept
    if kept is not None and module in kept.modules:
        with kept.process(threads) as child, _limited(child, timeout_s):
            _tell(child, json.dumps([module, content]))
            return _converse(child, module, reply_type, on_event)
    with _running_child([*_CHILD, module], module, threads) as child, _limited(child, timeout_s):
        _tell(child, content)
        return _converse(child, module, reply_type, on_event)


@contextlib.contextmanager
def keeping_process(*modules: str, ahead: int | None = None) -> Iterator[None]:
    """Let every `call` of these modules within the block be answered by one child process, one call after the other.

    It imports its libraries once, and a handler finds what earlier calls left in its modules. Calls that come side by side,
    or want another number of threads, have a process each. One that failed in any way is not asked again. A block
    within another has the processes of that one.

    Args:
        modules: those of `call`.
        ahead: number of threads of the calls to come; a process for them starts at once and imports its libraries while
            the caller does other work. None: it starts with the first call.
    """
    global _kept
    if _kept is not None:
        yield
        return
    _kept = kept = _KeptProcesses(frozenset(modules))
    if ahead is not None:
        kept.start(ahead)
    try:
        yield
    finally:
        _kept = None
        kept.end()


def call_group(
    command: Sequence[str], name: str, reply_type: type[Reply], *, threads: int, on_event: Emit | None = None
) -> Reply:
    """Run a command that starts processes which `answer`, and return the reply of one of them.

    What the processes write beside it is passed on to this process's output.

    Args:
        command: a launcher with its arguments. Its processes have their request from a file.
        name: what failures call it.
        reply_type: what the handler of `answer` returns.
        threads: of each process's numeric libraries on a CPU.
        on_event: called with each event as it comes.

    Raises:
        UserError, UnavailableError, MemoryExhaustedError, ProcessFailedError: as `call`.
    """
    with _running_child(command, name, threads) as child:
        reply = _converse(child, name, reply_type, on_event, pass_on=sys.stdout)
        # The launcher removes what it put into the temporary folder once its processes have ended.
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GROUP_END_SECONDS)
        return reply


class _KeptProcesses:
    """Child processes that wait for the next request."""

    def __init__(self, modules: frozenset[str]) -> None:
        self.modules = modules
        self._idle: list[tuple[int, subprocess.Popen[str]]] = []
        self._ended = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def process(self, threads: int) -> Iterator["subprocess.Popen[str]"]:
        """A process for one request."""
        child = self._take(threads)
        try:
            yield child
        except BaseException:
            _end(child)
            raise
        with self._lock:
            if not self._ended:
                self._idle.append((threads, child))
                return
        _end(child)

    def start(self, threads: int) -> None:
        """Start a process that imports the modules and waits."""
        with self.process(threads) as child:
            for module in sorted(self.modules):
                _tell(child, json.dumps([module, None]))

    def end(self) -> None:
        """End the processes: those that wait now, and one that is at work as soon as it has answered."""
        with self._lock:
            self._ended = True
        for _, child in self._idle:
            _end(child)

    def _take(self, threads: int) -> "subprocess.Popen[str]":
        with self._lock:
            for place, (others, child) in enumerate(self._idle):
                if others == threads and child.poll() is None:
                    del self._idle[place]
                    return child
        return _start(_CHILD, "the process that is kept", threads)


@contextlib.contextmanager
def _running_child(command: Sequence[str], name: str, threads: int) -> Iterator["subprocess.Popen[str]"]:
    child = _start(command, name, threads)
    try:
        yield child
    finally:
        _end(child)


def _start(command: Sequence[str], name: str, threads: int) -> "subprocess.Popen[str]":
    if _stopping.is_set():
        raise ProcessFailedError(f"{name} was not started: the program is interrupted")
    child = subprocess.Popen(  # noqa: S603  the commands are the program's own
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(threads),
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    _running.add(child)
    return child


def _end(child: "subprocess.Popen[str]") -> None:
    _running.discard(child)
    if child.poll() is None:
        child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        assert pipe is not None
        # What a child that is gone has not read is lost.
        with contextlib.suppress(OSError):
            pipe.close()


@contextlib.contextmanager
def _limited(child: "subprocess.Popen[str]", seconds: float) -> Iterator[None]:
    """Kill the child where the block takes longer."""
    alarm = threading.Timer(seconds, child.kill)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()


def _tell(child: "subprocess.Popen[str]", line: str) -> None:
    assert child.stdin is not None
    # A child that ended before it read the request says why in its output.
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(line + "\n")
        child.stdin.flush()


def stop_children() -> None:
    """Kill every child process and start no other: the user interrupts the program."""
    _stopping.set()
    for child in tuple(_running):
        child.kill()


def is_stopping() -> bool:
    """Whether the user has interrupted the program."""
    return _stopping.is_set()


def serve(name: str) -> None:
    """Answer the one request on standard input by the module of this name."""
    request_type, handler = _find_served(name)
    request = request_type.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_caller, daemon=True).start()
    answer(request, handler)


def serve_all() -> None:
    """Answer the requests on standard input, each by the module that it names, until the caller closes it."""
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read_lines, args=(lines,), daemon=True).start()
    while True:
        name, content = json.loads(lines.get())
        request_type, handler = _find_served(name)
        # Without a request, the module was to be imported ahead of one.
        if content is not None:
            answer(request_type.model_validate_json(content), handler)


def answer(request: Request, handler: Callable[[Request, Emit], BaseModel], *, speaks: bool = True) -> None:
    """Tell the caller what `handler(request, emit)` comes to.

    Args:
        request: what is asked.
        handler: does the work.
        speaks: whether this process tells events and the reply: of several that do the same work, one does. A failure is
            told by each, since the first one may end the others.
    """

    def emit(event: Event) -> None:
        if speaks:
            _send("event", event)

    try:
        reply = handler(request, emit)
    except UserError as refusal:
        _send("refused", str(refusal))
        sys.exit(_REFUSED)
    except UnavailableError as fault:
        _send("unavailable", str(fault))
        sys.exit(_UNAVAILABLE)
    except MemoryExhaustedError as fault:
        _send("exhausted", str(fault))
        sys.exit(_EXHAUSTED)
    if speaks:
        _send("reply", reply.model_dump(mode="json"))


def _find_served(name: str) -> tuple[type[BaseModel], Callable[[Any, Emit], BaseModel]]:
    with importing():
        module = import_module(name)
        served = import_module(f"{name}.__main__") if hasattr(module, "__path__") else module
    request_type, handler = served.SERVED
    return request_type, handler


def tell_crashes() -> None:
    """Tell the caller of what this process crashes on: a launcher's own account of it is long, and does not say why."""
    shown = sys.excepthook

    def tell(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        _send("crashed", "".join(traceback.format_exception(kind, fault, trace)).rstrip())
        shown(kind, fault, trace)

    sys.excepthook = tell


def end_with_holder(lock: Path) -> None:
    """End this process as soon as the one that holds a file's lock (`flock`) does: the operating system frees it."""
    threading.Thread(target=_end_when_free, args=(lock,), daemon=True).start()


def end_with_parent() -> None:
    """End this process as soon as its parent does; the initializer of the processes of every pool.

    They would wait for work for ever where the parent was killed, and hold its output open.
    """
    threading.Thread(target=_end_with_pool, daemon=True).start()


def _converse(
    child: "subprocess.Popen[str]",
    name: str,
    reply_type: type[Reply],
    on_event: Emit | None,
    pass_on: TextIO | None = None,
) -> Reply:
    assert child.stdout is not None
    tail: deque[str] = deque(maxlen=_KEPT_LINES)
    for line in child.stdout:
        if not line.startswith(_SEPARATOR):
            if line.strip():
                tail.append(line.rstrip())
                _log.debug("%s: %s", name, line.rstrip())
                if pass_on is not None:
                    pass_on.write(line)
            continue
        kind, content = json.loads(line[1:])
        if kind == "reply":
            return reply_type.model_validate(content)
        if kind in _FAILURES:
            raise _FAILURES[kind](content)
        if on_event is not None:
            on_event(content)
    raise ProcessFailedError(f"{name} {_ending(child.wait())}\n" + "\n".join(tail))


def _send(kind: str, content: object) -> None:
    # The leading line feed ends whatever a library left unfinished on the line; one write, since processes may share a pipe.
    sys.stdout.write(f"\n{_SEPARATOR}{json.dumps([kind, content])}\n")
    sys.stdout.flush()


def _end_with_caller() -> None:
    """Wait until the parent's end of standard input closes, then end at once: nobody waits for the result."""
    # Not through `sys.stdin`: a process that is forked meanwhile closes its copy, and would wait for ever for the lock that
    # the reading thread holds, a thread that the fork does not have.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(1)


def _read_lines(lines: "SimpleQueue[bytes]") -> None:
    """Hand on the lines of standard input, read as `_end_with_caller` reads it, and end with the caller as that does."""
    begun = b""
    while part := os.read(sys.stdin.fileno(), 65536):
        *whole, begun = (begun + part).split(b"\n")
        for line in whole:
            lines.put(line)
    os._exit(1)


def _end_when_free(lock: Path) -> None:
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    os._exit(1)


def _end_with_pool() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _environment(threads: int) -> Mapping[str, str]:
    pinned = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    # Threads that wait for each other in a loop take the cores from other work, which they then wait for: on shared cores a
    # training of two threads became ten times slower. Which sums they compute is the same.
    patient = {"OMP_WAIT_POLICY": "passive"}
    return {**patient, **os.environ, **pinned, "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status} and without a reply"
    name = signal.Signals(-status).name
    hint = " (out of memory, or past its time limit)" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"
