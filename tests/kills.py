"""Ending a step from within one of its events, as a kill at that instant would."""

from collections.abc import Callable


class KilledError(Exception):
    """Raised in the listener of a step."""


def kill_at(step: int) -> Callable[[dict[str, object]], None]:
    """A listener that ends the step once it has told `step`."""

    def listen(event: dict[str, object]) -> None:
        if int(str(event["step"])) >= step:
            raise KilledError

    return listen
