"""Several text-only examples in one sequence, kept apart: each has positions of its own and attends to itself alone."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Protocol

import torch

from videoguard.errors import UserError
from videoguard.models.preprocessing import IGNORED, Example

_TEXT = {"input_ids", "labels"}


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Positions of examples by the sequence that they are put into: the longest first, each where it leaves the least room.

    Needs at most 11/9 of the fewest sequences possible, and one (Johnson et al. 1974, best fit decreasing).

    Args:
        lengths: tokens of each example, none above `capacity`.
        capacity: tokens of a sequence.
    """
    packs: list[list[int]] = []
    rooms: list[tuple[int, int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        tightest = bisect_left(rooms, (lengths[index], 0))
        if tightest < len(rooms):
            room, place = rooms.pop(tightest)
        else:
            room, place = capacity, len(packs)
            packs.append([])
        packs[place].append(index)
        insort(rooms, (room - lengths[index], place))
    return packs


class Examples(Protocol):
    """Examples by their position."""

    def __getitem__(self, index: int) -> Example:
        """The example at a position."""
        ...


class PackedExamples(torch.utils.data.Dataset[Example]):
    """Sequences of several examples: `input_ids`, `labels` and `position_ids` that start anew with each example.

    Args:
        examples: text-only ones.
        packs: positions in `examples` of each sequence.
    """

    def __init__(self, examples: Examples, packs: Sequence[Sequence[int]]) -> None:
        self._examples = examples
        self._packs = packs

    def __len__(self) -> int:
        return len(self._packs)

    def __getitem__(self, index: int) -> Example:
        return join([self._examples[place] for place in self._packs[index]])


def join(examples: Sequence[Example]) -> Example:
    """Examples as one sequence, `(tokens,)` each tensor.

    Raises:
        UserError: an example has media, whose tokens cannot be told apart within one sequence.
    """
    media = {name for example in examples for name in example} - _TEXT - {"attention_mask"}
    if media:
        raise UserError(f"training.packing is for text-only examples: one has {', '.join(sorted(media))}; set it to false")
    lengths = [len(example["input_ids"]) for example in examples]
    return {
        "input_ids": torch.cat([example["input_ids"] for example in examples]),
        "labels": torch.cat([_without_first(example["labels"]) for example in examples]),
        "position_ids": torch.cat([torch.arange(length) for length in lengths]),
    }


def collate_packed(examples: Sequence[Example], pad_token: int) -> dict[str, torch.Tensor | bool]:
    """A batch `(sequences, longest)` for a model's forward pass: models tell the examples apart by their positions.

    They do so only without an attention mask and without a cache: with either, all would attend to those before, unseen.
    The padding behind a sequence counts as one more example, of which nothing is trained. Its positions start at 1, so that
    those at 0 are as many as the examples.
    """
    longest = max(len(example["input_ids"]) for example in examples)
    missing = [longest - len(example["input_ids"]) for example in examples]
    return {
        "use_cache": False,
        "input_ids": _stack([_filled(e["input_ids"], pad_token, n) for e, n in zip(examples, missing, strict=True)]),
        "labels": _stack([_filled(e["labels"], IGNORED, n) for e, n in zip(examples, missing, strict=True)]),
        "position_ids": _stack(
            [torch.cat([e["position_ids"], torch.arange(1, n + 1)]) for e, n in zip(examples, missing, strict=True)]
        ),
    }


def _without_first(labels: torch.Tensor) -> torch.Tensor:
    """Labels without that of the first token, which the last token of the example before would have to foretell."""
    return torch.cat([labels.new_full((1,), IGNORED), labels[1:]])


def _filled(tensor: torch.Tensor, value: int, missing: int) -> torch.Tensor:
    return torch.cat([tensor, tensor.new_full((missing,), value)])


def _stack(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(tensors))
