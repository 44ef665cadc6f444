"""Training, batch inference and the predictor give a model the same tensors of the same video, bit for bit."""

from typing import ClassVar

import pytest
import torch

from tests.models.conversations import SEEING
from videoguard.config import InferenceSection
from videoguard.dataset.building import read_split
from videoguard.inference.decoding import Sequences
from videoguard.inference.engine import Engine
from videoguard.inference.infer import infer
from videoguard.inference.predictor import Predictor
from videoguard.models.base import find_base
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import IGNORED, TOKEN_TENSORS, Example, Preprocessor, read_record
from videoguard.training.examples import TrainingExamples

ALL = slice(None)
ONE_TOKEN = InferenceSection(batch_size=4, max_new_tokens=1)


class NotingEngine(Engine):
    """An engine that keeps what it is given."""

    given: ClassVar[list[Example]] = []

    def read(self, prompts) -> Sequences:
        self.given.extend(prompts)
        return super().read(prompts)


@pytest.fixture
def noted(monkeypatch) -> list[Example]:
    given: list[Example] = []
    monkeypatch.setattr(NotingEngine, "given", given)
    monkeypatch.setattr("videoguard.inference.infer.Engine", NotingEngine)
    return given


@pytest.fixture
def trained_on(small_set, preprocessor) -> list[Example]:
    return seen_by_training(small_set, preprocessor)


def seen_by_training(small_set, preprocessor, rows: slice = ALL) -> list[Example]:
    """What the training would see of the test split, without the answers."""
    examples = TrainingExamples(read_split(small_set.dataset, "test"), small_set.store, preprocessor, 4096)
    prompts = []
    for index in range(len(examples))[rows]:
        example = dict(examples[index])
        labels = example.pop("labels")
        tokens = {name: example[name][labels == IGNORED] for name in example if name in TOKEN_TENSORS}
        prompts.append({**example, **tokens})
    return prompts


def assert_same_bits(first: list[Example], second: list[Example]) -> None:
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].dtype == other[name].dtype
            assert torch.equal(one[name], other[name]), name


def test_inference_sees_what_the_training_saw(noted, trained_on, inference_request, tmp_path):
    infer(inference_request(tmp_path), lambda event: None)
    assert_same_bits(noted, trained_on)


def test_the_predictor_sees_of_the_file_what_the_training_saw_of_the_store(
    noted, trained_on, adapted, preprocessor, trained, small_set
):
    record = read_record(trained.adapter)
    predictor = Predictor(NotingEngine(adapted, preprocessor), preprocessor, record)
    paths = {sample.video: sample.path for sample in small_set.samples}
    rows = list(read_split(small_set.dataset, "test"))
    predictor.predict([paths[row["video"]] for row in rows], rows[0]["question"], max_new_tokens=1)
    assert_same_bits(noted, trained_on)


@pytest.mark.parametrize("family", SEEING)
def test_a_model_of_every_family_sees_in_inference_and_from_the_file_what_it_saw_in_training(
    family, noted, tiny_family, small_set, inference_request, trained, tmp_path
):
    folder = tiny_family(family)
    base = find_base(str(folder))
    preprocessor = Preprocessor(load_processor(base), base.family)
    infer(inference_request(tmp_path, base=str(folder), adapter=None, inference=ONE_TOKEN), lambda event: None)
    assert_same_bits(noted, seen_by_training(small_set, preprocessor))

    noted.clear()
    predictor = Predictor(
        NotingEngine(load_model(base, "float32"), preprocessor), preprocessor, read_record(trained.adapter)
    )
    row = read_split(small_set.dataset, "test")[0]
    path = next(sample.path for sample in small_set.samples if sample.video == row["video"])
    predictor.predict([path], row["question"], max_new_tokens=1)
    assert_same_bits(noted, seen_by_training(small_set, preprocessor, slice(1)))
