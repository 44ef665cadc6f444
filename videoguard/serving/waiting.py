"""What waits for a model: in the order of arrival, but for those that can join what is under way."""

from collections import deque
from threading import Condition
from time import monotonic

from videoguard.serving.asking import Ask, Work

# Questions of one lane may overtake others for so long; then the batch runs out, and the others have their turn.
_PATIENCE_S = 0.5


class ClosedError(RuntimeError):
    """The model is not served any more: another has taken its name."""


class WaitingLine:
    """A queue that several threads put into, and one takes from."""

    def __init__(self) -> None:
        self._work: deque[Work] = deque()
        self._changed = Condition()
        self._closed = False

    def put(self, work: Work) -> None:
        """Add at the end.

        Raises:
            ClosedError: the line is closed.
        """
        with self._changed:
            if self._closed:
                raise ClosedError
            self._work.append(work)
            self._changed.notify()

    def put_back(self, work: Work) -> None:
        """Add what was under way and goes on, also where the line is closed."""
        with self._changed:
            self._work.append(work)
            self._changed.notify()

    def first(self) -> Work | None:
        """Take what has waited longest, once there is something; None when the line is closed and empty."""
        with self._changed:
            while not self._work and not self._closed:
                self._changed.wait()
            return self._work.popleft() if self._work else None

    def next_of(self, lane: object) -> Ask | None:
        """Take the next question of a lane; None where there is none now, or others have waited too long."""
        with self._changed:
            for place, work in enumerate(self._work):
                if isinstance(work, Ask) and work.lane == lane:
                    del self._work[place]
                    return work
                if monotonic() - work.since > _PATIENCE_S:
                    return None
            return None

    def close(self) -> None:
        """Take nothing in any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
