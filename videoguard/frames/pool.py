"""Decoding processes: one that crashes or takes too long costs the video it was at, and no other.

The calling thread itself hands out the videos and collects the frames, tiny clips several at once: they decode in
milliseconds, and the threads and queues of a general process pool cost a tenth of that.
"""

import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from time import monotonic

from videoguard.frames.process import DecodingProcess, Job, MishapError, Outcome, ReadVideo, Refusal
from videoguard.frames.rule import MEMORY_MB, FrameRule
from videoguard.frames.workers import read_video
from videoguard.manifests.sample import MediaSource

# A batch takes about this long, seconds: to hand it over costs nothing beside that, and to repeat it not much.
_BATCH_S = 0.1
_LARGEST_BATCH = 16
# The next batch lies ready when a process is done with one, so that it never waits for the parent.
_BATCHES_PER_WORKER = 2
# Batches that are done and wait for a slower video before them are held in memory.
_BATCHES_AHEAD_PER_WORKER = 8
_ATTEMPTS = 2


class DecodingPool:
    """Processes that decode; they start with the first videos, and one that ends is replaced."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._processes: list[DecodingProcess] = []
        self._answers = DefaultSelector()
        self._batch = 1

    def read(
        self,
        sources: Sequence[MediaSource],
        rule: FrameRule,
        *,
        timeout_s: float,
        memory_mb: int = MEMORY_MB,
        read: ReadVideo = read_video,
    ) -> Generator[Outcome, None, None]:
        """Frames of each video, or the reason why it has none, in the order of `sources`.

        A crash or a time-out may be the machine's fault and not the video's: such a video is tried once more. One thread
        at a time may read. What is under way ends where the iterator is closed early.

        Args:
            sources: video files, and lists of images.
            rule: which frames are taken.
            timeout_s: longest time for one video, seconds.
            memory_mb: most memory for one video, MiB.
            read: decodes and encodes one video in a process; importable there.

        Raises:
            RuntimeError: a fault of the program in a process, or processes that do not start.
        """
        waiting = deque(Job(number, source, rule, read) for number, source in enumerate(sources))
        outcomes: dict[int, Outcome] = {}
        told = 0
        try:
            while told < len(sources):
                ahead = _BATCHES_AHEAD_PER_WORKER * self.workers * self._batch
                self._hand_out(waiting, told + ahead, timeout_s, memory_mb)
                outcomes.update(self._collect(waiting))
                while told in outcomes:
                    yield outcomes.pop(told)
                    told += 1
        finally:
            for process in [process for process in self._processes if process.batches]:
                self._end(process)

    def close(self) -> None:
        """End the processes."""
        for process in list(self._processes):
            self._end(process)
        self._answers.close()

    def _hand_out(self, waiting: deque[Job], limit: int, timeout_s: float, memory_mb: int) -> None:
        """Give out the waiting videos numbered below `limit`: a batch to each process before a second to any."""
        for given in range(_BATCHES_PER_WORKER):
            # As many as there are processes are kept back, so that at the end none waits behind a slow one.
            kept = 0 if given == 0 else self.workers
            for place in range(self.workers):
                if len(waiting) <= kept or waiting[0].number >= limit:
                    return
                if place == len(self._processes):
                    self._start()
                if len(self._processes[place].batches) == given:
                    even = len(waiting) // (_BATCHES_PER_WORKER * self.workers)
                    batch = _take(waiting, min(self._batch, max(1, even)), limit)
                    self._processes[place].give(batch, timeout_s, memory_mb)

    def _collect(self, waiting: deque[Job]) -> Iterator[tuple[int, Outcome]]:
        """Wait until something happens; number and outcome of each video that is done."""
        nearest = min(process.deadline for process in self._processes if process.batches)
        answering = [key.data for key, _ in self._answers.select(max(0.0, nearest - monotonic()))]
        for process in list(self._processes):
            try:
                if process in answering:
                    answer = process.receive()
                    if answer.outcomes:
                        self._batch = _fitting(answer.seconds / len(answer.outcomes))
                    yield from answer.outcomes
                else:
                    process.check_time()
            except MishapError as mishap:
                self._end(process)
                yield from _put_back(process, mishap, waiting)

    def _start(self) -> None:
        process = DecodingProcess()
        self._processes.append(process)
        self._answers.register(process.connection, EVENT_READ, process)

    def _end(self, process: DecodingProcess) -> None:
        self._processes.remove(process)
        self._answers.unregister(process.connection)
        process.end()


@contextmanager
def decoding_pool(workers: int) -> Iterator[DecodingPool]:
    """The pool of that many processes which all threads of this program share.

    It ends with its last user: a caller that extracts shards one by one holds it around them, to start it once.
    """
    with _registry:
        shared = _shared.setdefault(workers, _Shared(DecodingPool(workers)))
        shared.users += 1
    try:
        yield shared.pool
    finally:
        with _registry:
            shared.users -= 1
            unused = shared.users == 0
            if unused:
                del _shared[workers]
        if unused:
            shared.pool.close()


@dataclass
class _Shared:
    pool: DecodingPool
    users: int = 0


_registry = threading.Lock()
_shared: dict[int, _Shared] = {}


def _take(waiting: deque[Job], size: int, limit: int) -> list[Job]:
    """A batch from the front: up to `size` videos numbered below `limit`, or one that must go alone."""
    batch = [waiting.popleft()]
    while len(batch) < size and waiting and waiting[0].number < limit and not (batch[0].alone or waiting[0].alone):
        batch.append(waiting.popleft())
    return batch


def _fitting(seconds: float) -> int:
    """How many videos of so many seconds make a batch."""
    return min(_LARGEST_BATCH, max(1, int(_BATCH_S / max(seconds, 1e-9))))


def _put_back(process: DecodingProcess, mishap: MishapError, waiting: deque[Job]) -> Iterator[tuple[int, Outcome]]:
    """Put the videos of an ended process back, but for one whose last attempt it was: that one is done."""
    at = process.batches[0] if process.batches else []
    for job in at:
        # Of several any may be the cause: each is read again by itself, and the cause shows.
        job.alone = True
        if len(at) == 1:
            job.mishaps.append(str(mishap))
    again = [job for batch in process.batches for job in batch if len(job.mishaps) < _ATTEMPTS]
    # In their order: what all others wait for must never stand behind one that is too far ahead.
    ordered = sorted([*again, *waiting], key=lambda job: job.number)
    waiting.clear()
    waiting.extend(ordered)
    yield from ((job.number, _tell(job.mishaps)) for job in at if len(job.mishaps) == _ATTEMPTS)


def _tell(mishaps: Sequence[str]) -> Refusal:
    first, second = mishaps
    return Refusal(f"{first}, twice" if first == second else f"{first}; then {second}", lasting=False)
