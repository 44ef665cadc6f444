"""Putting tensors together: what is filled up, with what, and what is refused."""

import pytest
import torch

from videoguard.errors import UserError
from videoguard.models.batching import batch_samples, join_turns
from videoguard.models.families import Family

FILLS = {"input_ids": 9, "labels": -100, "token_type_ids": 0}
PLAIN = Family("plain")
STACKED = Family("stacked", stacked=frozenset({"pictures"}))
PADDED = Family("padded", padded=frozenset({"pictures"}))


def ids(*tokens: int) -> torch.Tensor:
    return torch.tensor(tokens)


def test_turns_follow_each_other_and_what_one_lacks_is_filled():
    first = {"input_ids": ids(1, 2), "labels": ids(-100, -100), "token_type_ids": ids(0, 1), "pictures": torch.ones(1, 2)}
    answer = {"input_ids": ids(3), "labels": ids(3)}
    second = {"input_ids": ids(4, 5), "labels": ids(-100, -100), "pictures": 2 * torch.ones(2, 2)}
    joined = join_turns([first, answer, second], FILLS, PLAIN)
    assert joined["input_ids"].tolist() == [1, 2, 3, 4, 5]
    assert joined["labels"].tolist() == [-100, -100, 3, -100, -100]
    assert joined["token_type_ids"].tolist() == [0, 1, 0, 0, 0]
    assert joined["pictures"].tolist() == [[1, 1], [2, 2], [2, 2]]


@pytest.mark.parametrize(
    ("side", "tokens", "kinds", "mask"),
    [
        ("left", [[9, 9, 1], [2, 3, 4]], [[0, 0, 0], [0, 1, 1]], [[0, 0, 1], [1, 1, 1]]),
        ("right", [[1, 9, 9], [2, 3, 4]], [[0, 0, 0], [0, 1, 1]], [[1, 0, 0], [1, 1, 1]]),
    ],
)
def test_a_sample_that_shows_nothing_stands_beside_one_that_does(side, tokens, kinds, mask):
    silent = {"input_ids": ids(1)}
    seeing = {"input_ids": ids(2, 3, 4), "token_type_ids": ids(0, 1, 1), "pictures": torch.ones(2, 1)}
    batch = batch_samples([silent, seeing], FILLS, PLAIN, side)
    assert batch["input_ids"].tolist() == tokens
    assert batch["token_type_ids"].tolist() == kinds
    assert batch["attention_mask"].tolist() == mask
    assert batch["pictures"].shape == (2, 1)


def test_stacked_tensors_get_a_row_a_sample_filled_with_zeros():
    one = {"input_ids": ids(1), "pictures": torch.ones(1, 2, 2)}
    three = {"input_ids": ids(1), "pictures": 3 * torch.ones(3, 2, 1)}
    none = {"input_ids": ids(1)}
    pictures = batch_samples([one, three, none], FILLS, STACKED, "right")["pictures"]
    assert pictures.shape == (3, 3, 2, 2)
    assert pictures.sum(dim=(2, 3)).tolist() == [[4, 0, 0], [6, 6, 6], [0, 0, 0]]


def test_smaller_pictures_are_filled_up_only_where_the_family_has_it():
    samples = [
        {"input_ids": ids(1), "pictures": torch.ones(1, 2, 3)},
        {"input_ids": ids(1), "pictures": torch.ones(2, 3, 1)},
    ]
    pictures = batch_samples(samples, FILLS, PADDED, "right")["pictures"]
    assert pictures.shape == (3, 3, 3)
    assert pictures.sum(dim=(1, 2)).tolist() == [6, 3, 3]
    with pytest.raises(UserError) as refused:
        batch_samples(samples, FILLS, PLAIN, "right")
    assert str(refused.value).startswith("pictures of (2, 3) and of (3, 1) cannot stand in one batch of a plain model: ")
