"""The order of the examples in each epoch, where it is not simply drawn."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

_POOLS_OF_STEPS = 50
"""Steps whose examples are drawn together and then ordered by length: enough for neighbours, few enough to stay mixed."""


class ByLength(Sampler[int]):
    """Draws examples so that those of a step have about the same length, the longest of an epoch first.

    The order depends on the seed and the epoch alone, so that a resumed training sees the rest of the same epoch.

    Args:
        lengths: tokens of each example.
        step_size: examples of one optimizer step.
        seed: of the drawing.
    """

    def __init__(self, lengths: Sequence[int], step_size: int, seed: int) -> None:
        self._lengths = lengths
        self._step_size = step_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        drawn = torch.randperm(len(self._lengths), generator=generator).tolist()
        pool = _POOLS_OF_STEPS * self._step_size
        pools = [drawn[start : start + pool] for start in range(0, len(drawn), pool)]
        ordered = [index for indices in pools for index in sorted(indices, key=lambda index: -self._lengths[index])]
        steps = [ordered[start : start + self._step_size] for start in range(0, len(ordered), self._step_size)]
        # The steps are shuffled; the longest comes first, so that it is known at once whether the memory suffices.
        whole = [step for step in steps if len(step) == self._step_size]
        order = torch.randperm(len(whole), generator=generator).tolist()
        longest = max(range(len(whole)), key=lambda step: self._lengths[whole[step][0]], default=0)
        order.sort(key=lambda step: step != longest)
        rest = steps[len(whole) :]
        yield from (index for step in [*(whole[step] for step in order), *rest] for index in step)
