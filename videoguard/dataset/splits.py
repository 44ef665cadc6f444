"""Splits by group: stable under a seed, under reordering and under added groups, and free of leaks."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from videoguard.errors import refuse_all

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def assign_splits(groups: Iterable[str], *, validation: float, test: float, seed: int) -> dict[str, Split]:
    """A split for every distinct group.

    Each group falls where a hash of the seed and its own name puts it, so that an added or removed group moves no other.
    Where a split with a positive share comes out empty (few groups), it takes the group whose hash is nearest to it, as
    long as the training split keeps one.
    """
    places = {group: _place(group, seed) for group in groups}
    assigned = {group: _split_at(place, validation, test) for group, place in places.items()}
    wanted: tuple[tuple[Split, float, float], ...] = (("test", test, 0.0), ("validation", validation, test))
    for split, share, start in wanted:
        trained = [group for group, taken in assigned.items() if taken == "train"]
        if share > 0 and split not in assigned.values() and len(trained) > 1:
            nearest = min(trained, key=lambda group: (abs(places[group] - start - share), group))
            assigned[nearest] = split
    return assigned


def given_splits(splits_by_group: Mapping[str, Sequence[tuple[str, Split | None]]]) -> dict[str, Split]:
    """The split that the manifest gives to each group that has one.

    Args:
        splits_by_group: for each group, its samples' ids with the split that the manifest assigns (None for none).

    Raises:
        UserError: a group stands in more than one split, which would leak test videos into the training.
    """
    given: dict[str, Split] = {}
    overlaps: list[str] = []
    for group, members in splits_by_group.items():
        named = {split: sample for sample, split in members if split is not None}
        if len(named) > 1:
            places = ", ".join(f"{split} ({sample})" for split, sample in sorted(named.items()))
            overlaps.append(f"one source video is in {places}: give all its samples the same split")
        elif named:
            given[group] = next(iter(named))
    refuse_all("splits overlap", overlaps)
    return given


def _place(group: str, seed: int) -> float:
    """A number in [0, 1) that depends on the seed and the group alone."""
    digest = hashlib.sha256(f"{seed}\0{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _split_at(place: float, validation: float, test: float) -> Split:
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"
