"""Training examples with changed copies: the training split alone, the same again after a restart."""

from typing import Any

import pytest
import torch

from videoguard.config import AugmentationSection
from videoguard.dataset.building import read_split
from videoguard.errors import UserError
from videoguard.models.base import find_base
from videoguard.models.loading import load_processor
from videoguard.models.preprocessing import Example, Preprocessor
from videoguard.training.examples import Augmentation, TrainingExamples
from videoguard.training.train import train

SETTINGS = AugmentationSection(copies=2, rotate=15, brighten=0.3)


@pytest.fixture(scope="module")
def preprocessor(tiny_base) -> Preprocessor:
    base = find_base(str(tiny_base))
    return Preprocessor(load_processor(base), base.family)


def examples(small_set, preprocessor, augmentation) -> TrainingExamples:
    return TrainingExamples(read_split(small_set.dataset, "train"), small_set.store, preprocessor, 4096, augmentation)


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_copies_stand_after_the_examples_and_are_the_same_in_every_process(small_set, preprocessor):
    plain = examples(small_set, preprocessor, None)
    changed = examples(small_set, preprocessor, Augmentation(SETTINGS, 0))
    rows = len(plain)

    assert len(changed) == 3 * rows
    assert all(same(plain[row], changed[row]) for row in (0, rows - 1))
    first, second = changed[rows], changed[2 * rows]
    assert torch.equal(first["input_ids"], plain[0]["input_ids"])
    assert not torch.equal(first["pixel_values"], plain[0]["pixel_values"])
    assert not torch.equal(first["pixel_values"], second["pixel_values"])
    assert same(first, examples(small_set, preprocessor, Augmentation(SETTINGS, 0))[rows])
    assert not same(first, examples(small_set, preprocessor, Augmentation(SETTINGS, 1))[rows])


def test_only_the_training_split_has_copies(training_request, small_set, tmp_path):
    settings = {"epochs": 0.2, "evaluations": 1}
    reply = train(training_request(tmp_path, settings=settings, augmentation=SETTINGS), lambda event: None)
    assert reply.examples == 3 * len(read_split(small_set.dataset, "train"))


def test_examples_that_are_encoded_ahead_are_the_same(small_set, preprocessor):
    plain = examples(small_set, preprocessor, None)
    ahead = examples(small_set, preprocessor, None)
    order = list(reversed(range(len(plain))))
    with ahead.encoding_ahead():
        found = {index: ahead[index] for index in order}
    assert all(same(plain[index], found[index]) for index in order)


def test_examples_are_encoded_ahead_once(small_set, preprocessor, monkeypatch):
    encoded = []
    example_of = preprocessor.example

    def count(*given: Any) -> Example:
        encoded.append(given)
        example: Example = example_of(*given)
        return example

    monkeypatch.setattr(preprocessor, "example", count)
    several = examples(small_set, preprocessor, None)
    with several.encoding_ahead():
        for index in range(len(several)):
            several[index]
    assert len(encoded) == len(several)


def test_what_is_not_kept_is_encoded_when_it_is_asked_for(small_set, preprocessor, monkeypatch):
    plain = examples(small_set, preprocessor, None)
    monkeypatch.setattr("videoguard.training.examples._KEPT_BYTES", 0)
    small = examples(small_set, preprocessor, None)
    with small.encoding_ahead():
        assert all(same(plain[index], small[index]) for index in range(len(plain)))


def test_a_fault_of_an_example_that_is_encoded_ahead_reaches_the_training(small_set, preprocessor, monkeypatch):
    broken = examples(small_set, preprocessor, None)

    def refuse(*given: object) -> None:
        raise UserError("the example is broken")

    monkeypatch.setattr(preprocessor, "example", refuse)
    with broken.encoding_ahead(), pytest.raises(UserError, match="the example is broken"):
        broken[0]
