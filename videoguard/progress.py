"""Progress of long work: steps tell, a terminal or a log listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a step is."""

    step: str
    done: int
    of: int
    note: str = ""
    part: str = ""
    """Which of the parts of the step, where it has several: their numbers add up."""


class Totals:
    """Adds up the parts of each step."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, tuple[int, int]]] = {}

    def add(self, progress: Progress) -> tuple[int, int]:
        """How much of the step is done, and of how much, now that one part of it has told."""
        parts = self._parts.setdefault(progress.step, {})
        parts[progress.part] = (progress.done, progress.of)
        return sum(done for done, _ in parts.values()), sum(of for _, of in parts.values())


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []


def tell(progress: Progress) -> None:
    """Pass progress on to every listener of this process."""
    for listener in tuple(_listeners):
        listener(progress)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` with all progress told within the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
