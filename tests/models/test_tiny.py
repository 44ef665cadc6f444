"""The tiny InternVL: the classes of transformers, the same bytes for the same seed."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
)

from videoguard.config import TinyModel
from videoguard.exercises.catalogue import CLASSES, answer_text
from videoguard.manifests.formats.guard_categories import CATEGORIES
from videoguard.models.tiny.building import build_tiny
from videoguard.models.tiny.clips import Clip
from videoguard.models.tiny.internvl import CHAT, TOKENS
from videoguard.models.tiny.pretraining import pretrain, tokenizer_corpus
from videoguard.models.tiny.request import PretrainingRequest
from videoguard.models.tiny.signs import SignExamples
from videoguard.models.tiny.tokenizer import train_tokenizer

TOKENIZER = train_tokenizer(tokenizer_corpus(), 768, CHAT, TOKENS)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(folder: Path, seed: int = 0, **size: int) -> int:
    return build_tiny(TinyModel(**size), tokenizer_corpus(), seed, folder)


def test_the_saved_folder_loads_offline_as_a_hub_model_does(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    parameters = build(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert isinstance(processor, InternVLProcessor)
    assert isinstance(processor.video_processor, InternVLVideoProcessor)
    assert isinstance(model, InternVLForConditionalGeneration)
    assert model.num_parameters() == parameters == pytest.approx(660_000, rel=0.02)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        build(tmp_path / name, seed)
    digests = {name: sha256(tmp_path / name / "model.safetensors") for name in ("one", "again", "other")}
    assert digests["one"] == digests["again"] != digests["other"]
    for file in (tmp_path / "one").iterdir():
        assert sha256(file) == sha256(tmp_path / "again" / file.name), file.name


def test_the_pre_training_lowers_the_loss_and_repeats_itself(tmp_path):
    size = TinyModel(pretraining_steps=4, pretraining_batch=4, pretraining_videos_per_form=1)
    losses: dict[str, list[float]] = {"one": [], "again": []}
    for name, told in losses.items():
        folders = {"output": tmp_path / name, "checkpoints": tmp_path / f"{name} checkpoints"}
        request = PretrainingRequest(size=size, seed=3, workers=1 if name == "one" else 2, **folders)
        reply = pretrain(request, lambda event, told=told: told.append(event["metrics"]["pretraining_loss"]))  # type: ignore[misc]
        assert (reply.steps, reply.clips) == (4, 24)
        assert reply.last_loss == told[-1]
    assert losses["one"] == losses["again"]
    assert losses["one"][-1] < losses["one"][0]
    one, again = (sha256(tmp_path / name / "model/model.safetensors") for name in losses)
    assert one == again


def test_the_guards_model_is_pre_trained_on_signs_and_the_form_of_its_answers(tmp_path):
    size = TinyModel(
        pretraining="signs", answer_share=0.5, pretraining_steps=8, pretraining_batch=4, pretraining_videos_per_form=1
    )
    losses: list[float] = []
    request = PretrainingRequest(size=size, seed=0, workers=1, output=tmp_path, checkpoints=tmp_path / "checkpoints")
    pretrain(request, lambda event: losses.append(event["metrics"]["pretraining_loss"]))  # type: ignore[index]
    assert losses[-1] < losses[0]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    for label in ("safe", "unsafe"):
        assert tokenizer.tokenize(label) == [label]


def test_no_other_family_learns_signs():
    with pytest.raises(ValidationError, match="the streaming guard runs with internvl only"):
        TinyModel(family="qwen3_vl", pretraining="signs")


def test_a_sign_example_is_a_function_of_the_seed_and_names_no_category_where_it_names_signs(preprocessor):
    size = TinyModel(pretraining="signs", answer_share=0.0, pretraining_steps=2, pretraining_batch=4)
    clips = [Clip("squat", "correct", np.zeros((8, 96, 96, 3), np.uint8))]
    first, again = (SignExamples(clips, preprocessor, size, seed=5) for _ in range(2))
    assert len(first) == 8
    for index in range(len(first)):
        example = first[index]
        assert all(torch.equal(example[name], again[index][name]) for name in example)
        said = preprocessor.decode(example["labels"][example["labels"] >= 0])
        assert "a figure" in said
        assert not any(code in said for code in CATEGORIES)


@pytest.mark.parametrize("family", ["qwen3_vl", "smolvlm", "gpt2"])
def test_other_families_are_pre_trained_in_the_same_way(family, tmp_path):
    size = TinyModel(family=family, layers=1, pretraining_steps=8, pretraining_batch=4, pretraining_videos_per_form=1)
    losses: list[float] = []
    request = PretrainingRequest(size=size, seed=0, workers=1, output=tmp_path, checkpoints=tmp_path / "checkpoints")
    pretrain(request, lambda event: losses.append(event["metrics"]["pretraining_loss"]))  # type: ignore[index]
    assert losses[-1] < losses[0]


def test_without_steps_the_model_is_as_it_was_built(tmp_path):
    size = TinyModel(pretraining_steps=0, pretraining_videos_per_form=1)
    request = PretrainingRequest(size=size, seed=0, workers=1, output=tmp_path, checkpoints=tmp_path / "checkpoints")
    reply = pretrain(request, lambda event: None)
    assert (reply.steps, reply.last_loss) == (0, None)
    build(tmp_path / "built")
    assert sha256(tmp_path / "model/model.safetensors") == sha256(tmp_path / "built/model.safetensors")


def test_a_frame_is_one_token(preprocessor):
    import numpy as np

    from videoguard.dataset.messages import conversation

    context = preprocessor.tokenizer.get_vocab()["<IMG_CONTEXT>"]
    for frames in (1, 3, 8):
        example = preprocessor.prompt(conversation("Which?"), np.zeros((frames, 40, 60, 3), np.uint8))
        assert int((example["input_ids"] == context).sum()) == frames
        assert example["pixel_values"].shape == (frames, 3, 64, 64)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives_the_tokenizer(text):
    tokens = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    named = [*TOKENS.values(), "<|pad|>", "<|im_start|>", "<|im_end|>"]
    if not any(name in text for name in named):
        assert TOKENIZER.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False) == text


def test_the_vocabulary_is_bounded_and_answers_are_short():
    assert len(TOKENIZER) <= 768
    for exercise, form in CLASSES:
        assert len(TOKENIZER(answer_text(exercise, form, "text"))["input_ids"]) <= 12
        assert len(TOKENIZER(answer_text(exercise, form, "json"))["input_ids"]) <= 40


def test_the_template_puts_the_video_first_and_ends_each_turn():
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "video"}, {"type": "image"}, {"type": "text", "text": "Which?"}]},
    ]
    rendered = TOKENIZER.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n<video>\n<IMG_CONTEXT>\nWhich?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_the_frames_reach_the_answer(model, preprocessor, small_set):
    """Other frames, other logits: the vision tower is connected."""
    from videoguard.dataset.messages import conversation

    store = small_set.store
    logits = []
    for video in store.videos()[:2]:
        batch = preprocessor.collate([preprocessor.prompt(conversation("Which?"), store.frames(video))], side="left")
        with torch.inference_mode():
            logits.append(model(**batch).logits[0, -1])
    assert (logits[0] - logits[1]).abs().max() > 1e-4
