"""Prompts made by other processes are those that are made here, in the order that was asked for."""

import pytest
import torch

from videoguard.dataset.building import read_split
from videoguard.inference.infer import question_of
from videoguard.inference.prompts import Prompts, Question, prepare_ahead


@pytest.fixture(scope="module")
def prompts(small_set, preprocessor) -> Prompts:
    questions = [question_of(row) for row in read_split(small_set.dataset, "test")]
    lost = Question({**questions[0].sample, "video": "nowhere.mp4"}, questions[0].messages)
    spoken = Question({**questions[0].sample, "video": None}, [{"role": "user", "content": [{"type": "text", "text": "?"}]}])
    return Prompts([*questions, lost, spoken], small_set.store, preprocessor.prompt)


def test_workers_make_the_same_prompts_in_the_same_order(prompts):
    order = prompts.by_length()
    here, ahead = (list(prepare_ahead(prompts, order, workers)) for workers in (0, 2))
    assert [number for number, _ in ahead] == [number for number, _ in here] == order
    for (_, one), (_, other) in zip(here, ahead, strict=True):
        if isinstance(one, str):
            assert one == other
        else:
            assert not isinstance(other, str)
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one)


def test_what_cannot_be_shown_is_a_reason(prompts):
    reasons = [prepared for _, prepared in prepare_ahead(prompts, prompts.by_length(), 0) if isinstance(prepared, str)]
    assert len(reasons) == 1
    assert reasons[0].endswith("has no frames of nowhere.mp4: it is not in the manifest, or in quarantine")


def test_the_longest_prompts_come_first(prompts):
    made = dict(prepare_ahead(prompts, prompts.by_length(), 0))
    sizes = [len(prompt["input_ids"]) for prompt in made.values() if not isinstance(prompt, str)]
    # Characters stand for tokens within prompts that show as much.
    assert sizes[0] == max(sizes)
    assert sizes[-1] == min(sizes)
