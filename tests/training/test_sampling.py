"""Order of the examples by length: near ones together, the same again after a restart."""

import random

from videoguard.training.sampling import ByLength

LENGTHS = [*random.Random(0).choices(range(10, 401), k=1000), 401]
STEP = 8


def epoch(number: int, seed: int = 0) -> list[int]:
    sampler = ByLength(LENGTHS, STEP, seed)
    sampler.set_epoch(number)
    return list(sampler)


def padding(order: list[int]) -> int:
    steps = [order[start : start + STEP] for start in range(0, len(order), STEP)]
    return sum(max(LENGTHS[place] for place in step) * len(step) - sum(LENGTHS[place] for place in step) for step in steps)


def test_an_epoch_has_every_example_once_and_is_another_than_the_last():
    assert sorted(epoch(0)) == list(range(len(LENGTHS)))
    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1)
    assert epoch(0) != epoch(0, seed=1)


def test_lengths_of_a_step_are_near_each_other():
    drawn = random.Random(1).sample(range(len(LENGTHS)), len(LENGTHS))
    assert padding(epoch(0)) < 0.1 * padding(drawn)


def test_the_longest_example_comes_in_the_first_step():
    assert LENGTHS.index(401) in epoch(3)[:STEP]
    # The others are not in the order of their lengths.
    firsts = [LENGTHS[place] for place in epoch(3)[:: STEP * 4]]
    assert firsts != sorted(firsts, reverse=True)


def test_fewer_examples_than_a_step_are_an_order_too():
    assert sorted(ByLength([3, 1, 2], 8, 0)) == [0, 1, 2]
    assert list(ByLength([], 8, 0)) == []
