"""The generating process, seen from outside: a clip that ends it is named, and the others go on in a new one."""

from collections.abc import Callable

from videoguard.subprocesses import Event, ProcessFailedError, call, is_stopping
from videoguard.world.generation.request import DONE, FAILED, STARTED, ClipOrder, GenerationReply, GenerationRequest

_ATTEMPTS = 2
_DAY = 86_400.0


def run_orders(
    request: GenerationRequest,
    *,
    threads: int,
    on_done: Callable[[ClipOrder], None],
    on_event: Callable[[Event], None],
) -> dict[str, str]:
    """Generate the clips of a request in a process of their own; return the reason of each that failed, by its key.

    Args:
        request: what to generate with what.
        threads: of the process on a CPU.
        on_done: called with each clip as soon as its folder is filled.
        on_event: called with each event of the process.

    Raises:
        UserError: base, adapters, guardrail or refiner are refused.
        ProcessFailedError: the process ended before it began a clip.
    """
    waiting = {order.key: order for order in request.orders}
    attempts: dict[str, int] = {}
    failed: dict[str, str] = {}
    while waiting:
        current: list[str] = []

        def follow(event: Event, current: list[str] = current) -> None:
            state = event.get("state")
            if state == STARTED:
                current[:] = [event["clip"]]
            elif state == DONE:
                on_done(waiting.pop(event["clip"]))
            elif state == FAILED:
                waiting.pop(event["clip"])
                failed[event["clip"]] = event["reason"]
            on_event(event)

        rest = request.model_copy(update={"orders": tuple(waiting.values())})
        try:
            call("videoguard.world.generation", rest, GenerationReply, threads=threads, timeout_s=4 * _DAY, on_event=follow)
        except ProcessFailedError as fault:
            begun = [key for key in current if key in waiting]
            if not begun or is_stopping():
                raise
            attempts[begun[0]] = attempts.get(begun[0], 0) + 1
            if attempts[begun[0]] == _ATTEMPTS:
                waiting.pop(begun[0])
                failed[begun[0]] = f"it ended the process {_ATTEMPTS} times: {str(fault).splitlines()[0]}"
    return failed
