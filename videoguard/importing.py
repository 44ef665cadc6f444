"""Starting and ending a process quickly."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import large libraries within the block, without the garbage collector, which takes a fifth of the time otherwise.

    Imports make hundreds of thousands of objects that stay; the collector would look at them over and over. Afterwards it
    leaves alone what there is, so that its later rounds are short too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def end_quickly() -> None:
    """Let the interpreter not look for cycles among all objects when it ends, which takes a second after a flow."""
    atexit.register(_spare)


def _spare() -> None:
    # PyTorch's extensions tell of objects that are left.
    if "torch" not in sys.modules:
        gc.freeze()
