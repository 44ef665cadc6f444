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
