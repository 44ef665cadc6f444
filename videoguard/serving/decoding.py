"""Videos of requests to frames, in processes that a hostile file may crash, hang or fill without harm to another."""

import asyncio
import logging
import queue
import re
import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from time import monotonic

from videoguard.frames.pool import DecodingPool
from videoguard.frames.process import Outcome, ReadVideo, Refusal
from videoguard.frames.rule import FrameRule
from videoguard.frames.workers import EncodedVideo, read_video
from videoguard.manifests.sample import MediaSource
from videoguard.serving.counters import Counters
from videoguard.serving.problems import ProblemError, internal
from videoguard.serving.settings import ServeSettings

_OVER_LIMIT = re.compile(r"(?P<what>.+): frames\.limits\.(?P<name>\w+) is (?P<most>.+)")
_OPTIONS = {
    "longest_side": "--max-side",
    "pixels": "--max-pixels",
    "duration_s": "--max-seconds",
    "frames": "--max-frames",
}
_log = logging.getLogger(__name__)


@dataclass
class _Job:
    source: MediaSource
    rule: FrameRule
    read: ReadVideo
    done: "Future[Outcome]"


class Decoder:
    """Threads with a decoding process each, so that one video that takes long holds up no other."""

    def __init__(self, settings: ServeSettings, counters: Counters) -> None:
        self._settings = settings
        self._counters = counters
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"decoding-{number}", daemon=True) for number in range(settings.workers)
        ]
        for thread in self._threads:
            thread.start()

    async def decode(self, source: MediaSource, rule: FrameRule, read: ReadVideo = read_video) -> EncodedVideo:
        """Frames of a video.

        Raises:
            ProblemError: 422, it cannot be decoded, or is larger than the limits.
        """
        began = monotonic()
        done: Future[Outcome] = Future()
        self._jobs.put(_Job(source, replace(rule, limits=self._settings.limits), read, done))
        try:
            outcome = await asyncio.wrap_future(done)
        except RuntimeError as fault:
            _log.error("decoding failed: %s", fault)
            raise internal() from None
        finally:
            self._counters.decoding.observe(monotonic() - began)
        if isinstance(outcome, Refusal):
            raise _refusal(outcome.reason)
        return outcome

    def close(self) -> None:
        """End the processes."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        pool = DecodingPool(1)
        how = {"timeout_s": self._settings.decode_timeout, "memory_mb": self._settings.decode_memory_mb}
        try:
            while (job := self._jobs.get()) is not None:
                if not job.done.set_running_or_notify_cancel():
                    continue
                outcomes: Generator[Outcome, None, None] = pool.read([job.source], job.rule, read=job.read, **how)  # type: ignore[arg-type]
                try:
                    with closing(outcomes):
                        job.done.set_result(next(outcomes))
                except RuntimeError as fault:
                    job.done.set_exception(fault)
        finally:
            pool.close()


def _refusal(reason: str) -> ProblemError:
    over = _OVER_LIMIT.fullmatch(reason)
    if over is not None:
        option = _OPTIONS[over["name"]]
        return ProblemError(
            422, "the video", f"too large: {over['what']}", f"{option} of the service is {over['most']}",
            "send a smaller or shorter one",
        )  # fmt: skip
    return ProblemError(
        422, "the video", f"not decodable: {reason}", "it must be a video file that can be decoded within the limits",
        "check that it plays, and send it whole",
    )  # fmt: skip
