"""Tensors of the turns of one sample, or of several samples, put together.

A sample's token tensors have one entry a token, `(tokens,)`; its media tensors have what the family counts (frames, tiles,
patches or images) on their first axis.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch

from videoguard.errors import UserError
from videoguard.models.families import Family

Tensors = Mapping[str, torch.Tensor]
Side = Literal["left", "right"]


def join_turns(turns: Sequence[Tensors], fills: Mapping[str, int], family: Family) -> dict[str, torch.Tensor]:
    """The tensors of one sample, from those of its turns in order.

    Args:
        turns: each with `input_ids`.
        fills: the names of token tensors, with the value that stands where a turn lacks one.
        family: of the model.
    """
    joined = {}
    for name in _names(turns):
        if name in fills:
            joined[name] = torch.cat([_of_tokens(turn, name, fills[name]) for turn in turns])
        else:
            joined[name] = _join(name, [turn[name] for turn in turns if name in turn], family)
    return joined


def batch_samples(
    samples: Sequence[Tensors], fills: Mapping[str, int], family: Family, side: Side
) -> dict[str, torch.Tensor]:
    """A batch, with the `attention_mask` of its tokens.

    Token tensors are padded on one side to `(batch, longest)`. Media tensors are joined along their first axis, or padded
    to `(batch, most, ...)` where the family stacks them.

    Raises:
        UserError: media tensors do not fit together.
    """
    longest = max(len(sample["input_ids"]) for sample in samples)
    batch = {}
    for name in _names(samples):
        if name in fills:
            rows = [_of_tokens(sample, name, fills[name]) for sample in samples]
            batch[name] = torch.stack([_pad(row, longest, fills[name], side) for row in rows])
        elif name in family.stacked:
            batch[name] = _stack([sample.get(name) for sample in samples])
        else:
            batch[name] = _join(name, [sample[name] for sample in samples if name in sample], family)
    masks = (torch.ones_like(sample["input_ids"]) for sample in samples)
    batch["attention_mask"] = torch.stack([_pad(mask, longest, 0, side) for mask in masks])
    return batch


def _names(parts: Sequence[Tensors]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))


def _of_tokens(part: Tensors, name: str, fill: int) -> torch.Tensor:
    return part[name] if name in part else torch.full_like(part["input_ids"], fill)


def _pad(row: torch.Tensor, length: int, value: int, side: Side) -> torch.Tensor:
    missing = row.new_full((length - len(row),), value)
    return torch.cat([missing, row] if side == "left" else [row, missing])


def _join(name: str, tensors: Sequence[torch.Tensor], family: Family) -> torch.Tensor:
    shapes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
    if len(shapes) == 1:
        return torch.cat(list(tensors))
    if name not in family.padded:
        raise UserError(
            f"{name} of {shapes[0]} and of {shapes[-1]} cannot stand in one batch of a {family.model_type} model: "
            "give every video the same number of frames of one size (frames.sampling=uniform), or take batches of 1"
        )
    largest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    return torch.cat([_grow(tensor, [len(tensor), *largest]) for tensor in tensors])


def _stack(tensors: Sequence[torch.Tensor | None]) -> torch.Tensor:
    """One row a sample; what a sample has less of than others, or of a smaller size, is filled with zeros."""
    present = [tensor for tensor in tensors if tensor is not None]
    largest = [max(sizes) for sizes in zip(*(tensor.shape for tensor in present), strict=True)]
    none = present[0].new_zeros(largest)
    return torch.stack([none if tensor is None else _grow(tensor, largest) for tensor in tensors])


def _grow(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    grown = tensor.new_zeros(list(shape))
    grown[tuple(slice(size) for size in tensor.shape)] = tensor
    return grown
