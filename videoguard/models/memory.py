"""Memory that does not suffice, told alike wherever it is."""

import contextlib
from collections.abc import Iterator

from videoguard.subprocesses import MemoryExhaustedError


@contextlib.contextmanager
def telling_exhaustion() -> Iterator[None]:
    """Turn what PyTorch raises where an allocation fails, on a GPU or a CPU, into `MemoryExhaustedError`."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as fault:
        raise MemoryExhaustedError(str(fault).splitlines()[0]) from None
    except RuntimeError as fault:
        # The CPU's allocator has no error type of its own.
        if "DefaultCPUAllocator: can't allocate memory" not in str(fault):
            raise
        raise MemoryExhaustedError(str(fault).splitlines()[0]) from None
