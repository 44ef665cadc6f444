"""Splits: stable, disjoint, near the asked shares, and never leaking."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.dataset.splits import Split, assign_splits, given_splits
from videoguard.errors import UserError

NAMES = st.builds(
    lambda prefix, number: [f"{prefix}-{index}" for index in range(number)], st.text(max_size=5), st.integers(0, 120)
)
SEEDS = st.integers(0, 2**31 - 1)
SHARES = st.tuples(st.floats(0.0, 0.45), st.floats(0.0, 0.45))


@settings(max_examples=300)
@given(NAMES, SEEDS, SHARES, st.randoms())
def test_splits_do_not_depend_on_the_order_or_on_repeats(groups, seed, shares, chance):
    validation, test = shares
    assigned = assign_splits(groups, validation=validation, test=test, seed=seed)
    mixed = [*groups, *groups[::2]]
    chance.shuffle(mixed)
    assert assign_splits(mixed, validation=validation, test=test, seed=seed) == assigned
    assert set(assigned) == set(groups)


@settings(max_examples=300)
@given(st.integers(100, 160), st.integers(0, 60), st.text(max_size=5), SEEDS)
def test_an_added_group_moves_no_other(number, added, prefix, seed):
    groups = [f"{prefix}-{index}" for index in range(number)]
    # With a hundred groups and a quarter each, an empty split does not happen (once in 10^12).
    before = assign_splits(groups, validation=0.25, test=0.25, seed=seed)
    after = assign_splits([*groups, *(f"new-{index}" for index in range(added))], validation=0.25, test=0.25, seed=seed)
    assert {group: after[group] for group in groups} == before


@settings(max_examples=300)
@given(NAMES, SEEDS, SHARES)
def test_every_wanted_split_has_a_group_while_training_keeps_one(groups, seed, shares):
    validation, test = shares
    numbers = Counter(assign_splits(groups, validation=validation, test=test, seed=seed).values())
    assert numbers["validation"] == 0 or validation > 0
    assert numbers["test"] == 0 or test > 0
    if numbers["train"] > 1:
        assert numbers["validation"] > 0 or validation == 0
        assert numbers["test"] > 0 or test == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shares_are_near_the_asked(seed):
    numbers = Counter(assign_splits(map(str, range(10_000)), validation=0.1, test=0.2, seed=seed).values())
    # Three standard deviations of a binomial: 3 * sqrt(10000 * 0.2 * 0.8) = 120, 3 * sqrt(10000 * 0.1 * 0.9) = 90.
    assert numbers["test"] == pytest.approx(2000, abs=120)
    assert numbers["validation"] == pytest.approx(1000, abs=90)


def test_another_seed_gives_other_splits():
    groups = [str(number) for number in range(100)]
    first, second = (assign_splits(groups, validation=0.2, test=0.3, seed=seed) for seed in (0, 1))
    assert first != second


def test_three_groups_fill_three_splits():
    for seed in range(50):
        assigned = assign_splits(["a", "b", "c"], validation=0.01, test=0.01, seed=seed)
        assert sorted(assigned.values()) == ["test", "train", "validation"]


def test_two_groups_leave_validation_empty():
    assert sorted(assign_splits(["a", "b"], validation=0.01, test=0.01, seed=0).values()) == ["test", "train"]


def test_no_groups_have_no_splits():
    assert assign_splits([], validation=0.1, test=0.2, seed=0) == {}


def test_given_splits_are_those_of_the_manifest():
    members: dict[str, list[tuple[str, Split | None]]] = {
        "a": [("a1", "test"), ("a2", "test")],
        "b": [("b1", None)],
        "c": [("c1", None), ("c2", "train")],
    }
    assert given_splits(members) == {"a": "test", "c": "train"}


def test_a_video_in_two_splits_is_refused_with_its_samples():
    with pytest.raises(UserError) as refused:
        given_splits({"a": [("a1", "train"), ("a2", "test")], "b": [("b1", "test")]})
    assert str(refused.value) == (
        "splits overlap: one source video is in test (a2), train (a1): give all its samples the same split"
    )


def test_every_overlap_is_named():
    with pytest.raises(UserError) as refused:
        given_splits({name: [(f"{name}1", "train"), (f"{name}2", "validation")] for name in "ab"})
    lines = str(refused.value).splitlines()
    assert lines[0] == "splits overlap: 2 problems"
    assert "train (b1), validation (b2)" in lines[2]


LABELLED = st.dictionaries(st.text(max_size=4), st.integers(0, 40), min_size=1, max_size=5)


def labelled_groups(numbers: dict[str, int]) -> dict[str, str]:
    """Label by group, as many groups of each label as told."""
    return {f"{label}-{index}": label for label, number in numbers.items() for index in range(number)}


@settings(max_examples=300, deadline=None)
@given(LABELLED, SEEDS, SHARES, st.randoms(use_true_random=False))
def test_every_label_is_in_every_split_that_it_is_entitled_to(numbers, seed, shares, chance):
    validation, test = shares
    labels = labelled_groups(numbers)
    assigned = assign_splits(labels, validation=validation, test=test, seed=seed, labels=labels)
    for label, number in numbers.items():
        taken = Counter(assigned[group] for group in labels if labels[group] == label)
        if round((1 - validation - test) * number, 9) >= 1 and number > 1:
            assert taken["train"] > 0
        # With two groups of training left to give from, each share that comes to a whole group is met.
        if number >= 5 and validation * number >= 1 and test * number >= 1 and (1 - validation - test) * number >= 3:
            assert taken["validation"] > 0
            assert taken["test"] > 0
    mixed = list(labels)
    chance.shuffle(mixed)
    assert assign_splits(mixed, validation=validation, test=test, seed=seed, labels=labels) == assigned


@settings(max_examples=300, deadline=None)
@given(st.integers(30, 80), st.integers(0, 60), SEEDS)
def test_groups_of_one_label_move_none_of_another(number, added, seed):
    before = labelled_groups({"squat": number, "lunge": 40})
    after = labelled_groups({"squat": number + added, "lunge": 40})
    first, second = (assign_splits(labels, validation=0.1, test=0.2, seed=seed, labels=labels) for labels in (before, after))
    assert all(first[group] == second[group] for group in before if before[group] == "lunge")
    # Within the label at most one group for each split had been put there because it was empty.
    assert sum(first[group] != second[group] for group in before) <= 2


def test_a_rare_label_is_not_left_out_by_chance():
    labels = labelled_groups({"common": 300, "rare": 10})
    for seed in range(40):
        assigned = assign_splits(labels, validation=0.1, test=0.1, seed=seed, labels=labels)
        rare = Counter(assigned[group] for group in labels if labels[group] == "rare")
        assert rare["test"] >= 1
        assert rare["validation"] >= 1
        assert rare["train"] >= 1


def test_labels_of_single_groups_leave_the_shares_as_they_are():
    labels = {str(number): str(number) for number in range(1000)}
    stratified = assign_splits(labels, validation=0.1, test=0.2, seed=0, labels=labels)
    assert stratified == assign_splits(labels, validation=0.1, test=0.2, seed=0)


def test_an_overlap_is_told_by_what_is_grouped():
    with pytest.raises(UserError, match=r"splits overlap: subject p7 is in test \(b\), train \(a\)"):
        given_splits({"digest": [("a", "train"), ("b", "test")]}, {"digest": "subject p7"})
