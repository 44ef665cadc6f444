"""Splits by group: stable under a seed, under reordering and under added groups, and free of leaks."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Sized

from videoguard.errors import refuse_all
from videoguard.manifests.sample import Split as Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def assign_splits(
    groups: Iterable[str], *, validation: float, test: float, seed: int, labels: Mapping[str, str] | None = None
) -> dict[str, Split]:
    """A split for every distinct group.

    Each group falls where a hash of the seed and its own name puts it, so that an added or removed group moves no other.
    This stratifies on average only: no rule that looks at the other groups as well could leave them all in place. So that
    no label is left out by chance, a label that is entitled to a whole group of a split and has none there gives the one
    whose hash is nearest; such a group may move when groups of its own label are added. In the same way a split that is
    empty altogether takes the nearest group, as long as the training keeps one, and one of each label that has several.

    Args:
        groups: names.
        validation: share of the groups that choose the best adapter.
        test: share of the groups that are held out.
        seed: of the hash.
        labels: label by group, to stratify by; groups without one are left where they fall.
    """
    places = {group: _place(group, seed) for group in groups}
    assigned = {group: _split_at(place, validation, test) for group, place in places.items()}
    strata: dict[str, list[str]] = defaultdict(list)
    for group in places:
        if labels is not None and group in labels:
            strata[labels[group]].append(group)
    for members in strata.values():
        stratum = {group: assigned[group] for group in members}
        _keep_one_in_training(stratum, places, validation + test)
        _fill_empty(stratum, places, validation, test, least=1.0)
        assigned |= stratum
    _fill_empty(assigned, places, validation, test, least=0.0, labels=labels or {})
    return assigned


def given_splits(
    splits_by_group: Mapping[str, Sequence[tuple[str, Split | None]]], descriptions: Mapping[str, str] | None = None
) -> dict[str, Split]:
    """The split that the manifest gives to each group that has one.

    Args:
        splits_by_group: for each group, its samples' ids with the split that the manifest assigns (None for none).
        descriptions: how a message names each group; as one source video when None.

    Raises:
        UserError: a group stands in more than one split, which would leak test videos into the training.
    """
    given: dict[str, Split] = {}
    overlaps: list[str] = []
    for group, members in splits_by_group.items():
        named = {split: sample for sample, split in members if split is not None}
        if len(named) > 1:
            places = ", ".join(f"{split} ({sample})" for split, sample in sorted(named.items()))
            group_name = descriptions[group] if descriptions is not None else "one source video"
            overlaps.append(f"{group_name} is in {places}: give all its samples the same split")
        elif named:
            given[group] = next(iter(named))
    refuse_all("splits overlap", overlaps)
    return given


def _keep_one_in_training(stratum: dict[str, Split], places: Mapping[str, float], held_out: float) -> None:
    """Give a label that is entitled to a training group, and has none, the one that is nearest to the training."""
    if len(stratum) > 1 and _comes_to(1.0 - held_out, stratum, 1.0) and "train" not in stratum.values():
        stratum[max(stratum, key=lambda group: (places[group], group))] = "train"


def _fill_empty(
    assigned: dict[str, Split],
    places: Mapping[str, float],
    validation: float,
    test: float,
    *,
    least: float,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Let an empty split take the nearest group that can be spared where its share is positive and comes to `least` groups.

    Of a label with several groups the last in the training stays there.
    """
    labels = labels or {}
    numbers = Counter(labels[group] for group in assigned if group in labels)
    wanted: tuple[tuple[Split, float, float], ...] = (("test", test, 0.0), ("validation", validation, test))
    for split, share, start in wanted:
        if split in assigned.values() or share <= 0 or not _comes_to(share, assigned, least):
            continue
        trained = [group for group, taken in assigned.items() if taken == "train"]
        held_out = [group for group, taken in assigned.items() if taken != "train"]
        in_training = Counter(labels[group] for group in trained if group in labels)
        free = [
            group
            for group in trained
            if group not in labels or numbers[labels[group]] == 1 or in_training[labels[group]] > 1
        ]
        donors = free if len(trained) > 1 else []
        # Where the training has none to give, the other held-out split may.
        donors = donors or (held_out if len(held_out) > 1 else [])
        if donors:
            assigned[min(donors, key=lambda group: (abs(places[group] - start - share), group))] = split


def _comes_to(share: float, groups: Sized, least: float) -> bool:
    # 0.45 and 0.45 of ten groups leave one whole group, and in floating point a little less.
    return round(share * len(groups), 9) >= least


def _place(group: str, seed: int) -> float:
    """A number in [0, 1) that depends on the seed and the group alone."""
    digest = hashlib.sha256(f"{seed}\0{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _split_at(place: float, validation: float, test: float) -> Split:
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"
