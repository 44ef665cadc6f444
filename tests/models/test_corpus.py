"""What a tiny text model is pre-trained on: lines of training questions, and nothing of what it is to answer."""

from pathlib import Path

import pytest

from videoguard.dataset.building import build_dataset
from videoguard.manifests.sample import Sample, Split
from videoguard.models.tiny.corpus import draw_copies, question_lines, training_texts


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    splits: tuple[Split, ...] = ("train", "train", "validation", "test")
    samples = [
        Sample(
            id=f"{number}",
            root=Path(),
            question=f"Sum up.\nwindow {number}\n\n• comment {number}",
            answer=f"answer {number}",
            split=split,
        )
        for number, split in enumerate(splits)
    ]
    folder: Path = tmp_path_factory.mktemp("set") / "dataset"
    rule = {"validation": 0.1, "test": 0.1, "seed": 0, "system_prompt": None, "question": None}
    build_dataset(samples, {}, **rule, folder=folder)  # type: ignore[arg-type]
    return folder


def test_lines_are_those_of_training_questions(dataset):
    assert question_lines(dataset) == ["Sum up.", "window 0", "window 1", "• comment 0", "• comment 1"]


def test_the_tokenizer_sees_the_training_split_alone(dataset):
    texts = set(training_texts(dataset))
    assert {"answer 0", "answer 1"} <= texts
    assert not any("2" in text or "3" in text for text in texts)


def test_copies_are_drawn_by_a_seed(dataset):
    lines = question_lines(dataset)
    drawn = draw_copies(lines, 200, seed=3)
    assert drawn == draw_copies(lines, 200, seed=3) != draw_copies(lines, 200, seed=4)
    assert {len(text.splitlines()) for text in drawn} == {2, 3, 4, 5}
    assert all(
        len(set(text.splitlines())) == len(text.splitlines()) and set(text.splitlines()) <= set(lines) for text in drawn
    )


def test_a_corpus_of_one_line_is_copied_too():
    assert draw_copies(["a"], 2, seed=0) == ["a", "a"]
