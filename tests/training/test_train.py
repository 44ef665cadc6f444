"""LoRA training for real: a few steps of a tiny model."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from videoguard.config import TrainingSection
from videoguard.dataset.building import read_split
from videoguard.digests import digest_file
from videoguard.errors import UserError
from videoguard.models.base import find_base
from videoguard.models.loading import load_adapted, load_model, load_processor
from videoguard.models.preprocessing import Preprocessor, digest_processor, make_record, read_record
from videoguard.subprocesses import call
from videoguard.training.arguments import count_steps
from videoguard.training.examples import TrainingExamples, require_trained_tokens
from videoguard.training.request import TrainingReply
from videoguard.training.train import train

SPEED = {"tokens_per_second", "samples_per_second", "memory_gb"}


@pytest.fixture(scope="module")
def preprocessor(tiny_base) -> Preprocessor:
    base = find_base(str(tiny_base))
    return Preprocessor(load_processor(base), base.family)


def read_log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def mean_loss(model, examples: TrainingExamples, preprocessor: Preprocessor) -> float:
    batch = preprocessor.collate([examples[index] for index in range(len(examples))], side="right")
    with torch.inference_mode():
        return float(model(**batch).loss)


def test_the_loss_falls_on_what_was_trained_and_on_what_was_held_back(trained, small_set, tiny_base):
    base = find_base(str(tiny_base))
    preprocessor = Preprocessor(load_processor(base), base.family)
    untrained, adapted = load_model(base, "float32"), load_adapted(base, "float32", trained.adapter)
    for split in ("train", "validation"):
        examples = TrainingExamples(read_split(small_set.dataset, split), small_set.store, preprocessor, 4096)
        before, after = (mean_loss(model, examples, preprocessor) for model in (untrained, adapted))
        assert after < 0.95 * before, split
        if split == "validation":
            assert after == pytest.approx(trained.reply.best_validation_loss, rel=1e-4)


def test_the_reply_counts_what_was_done(trained, small_set):
    reply = trained.reply
    examples = len(read_split(small_set.dataset, "train"))
    # 4 epochs of batches of 10.
    assert reply.examples == examples
    assert reply.steps == 4 * math.ceil(examples / 10)
    weights = load_file(trained.adapter / "adapter_model.safetensors")
    assert reply.trainable_parameters == sum(tensor.numel() for tensor in weights.values())
    # The tiny base has about 660,000 parameters.
    assert reply.total_parameters - reply.trainable_parameters == pytest.approx(660_000, rel=0.02)


def test_only_the_language_model_is_adapted(trained):
    names = load_file(trained.adapter / "adapter_model.safetensors").keys()
    # 7 targets in 2 layers, two matrices each.
    assert len(names) == 7 * 2 * 2
    assert all(".language_model." in name for name in names)
    assert not any(re.search("vision|projector|embed|lm_head", name) for name in names)


def test_the_adapter_comes_with_its_preprocessing_record(trained, small_set, tiny_base):
    base = find_base(str(tiny_base))
    digest = digest_processor(load_processor(base))
    wanted = make_record(
        base, digest, small_set.rule, base_name="tiny", system_prompt=small_set.system_prompt, question=None
    )
    assert read_record(trained.adapter) == wanted


def test_the_log_and_the_events_tell_every_step(trained):
    log = read_log(trained.folder)
    steps = [point["step"] for point in log if "train_loss" in point]
    assert steps == list(range(1, trained.reply.steps + 1))
    validations = {point["step"]: point["validation_loss"] for point in log if "validation_loss" in point}
    assert len(validations) == 3
    assert trained.reply.best_validation_loss == min(validations.values()) == validations[trained.reply.best_step]
    first, *events = trained.events
    assert (first["step"], first["metrics"]) == (0, {})
    assert " tokens of the first example are trained: " in first["note"]
    # Speed and memory differ from run to run: they are told, and not kept.
    told = [
        {name: value for name, value in event["metrics"].items() if name not in SPEED}
        for event in trained.events
        if event["metrics"]
    ]
    assert [{"step": event["step"], **metrics} for event, metrics in zip(events, told, strict=True)] == log
    assert all(event["metrics"].keys() >= SPEED for event in events if "train_loss" in event["metrics"])
    assert {event["of"] for event in trained.events} == {trained.reply.steps}


def test_the_curves_are_a_picture(trained):
    with Image.open(trained.folder / "curves.png") as image:
        assert image.format == "PNG"
        assert image.width > 500
        assert len(set(image.convert("RGB").tobytes()[::3])) > 10


def test_the_kept_adapter_is_the_best_and_not_the_last(training_request, tmp_path, tiny_base, small_set):
    """A learning rate that destroys the model after a few steps."""
    settings = {"epochs": 3, "learning_rate": 10.0, "schedule": "constant", "max_grad_norm": 1e9, "evaluations": 9}
    reply = train(training_request(tmp_path, settings=settings), lambda event: None)
    validations = {point["step"]: point["validation_loss"] for point in read_log(tmp_path) if "validation_loss" in point}
    assert reply.best_step == min(validations, key=lambda step: validations[step])
    assert reply.best_step < reply.steps
    # The later losses are no numbers at all, and stand in no file.
    assert len(validations) < 9
    assert "NaN" not in (tmp_path / "log.jsonl").read_text()

    base = find_base(str(tiny_base))
    preprocessor = Preprocessor(load_processor(base), base.family)
    examples = TrainingExamples(read_split(small_set.dataset, "validation"), small_set.store, preprocessor, 4096)
    kept = mean_loss(load_adapted(base, "float32", tmp_path / "adapter"), examples, preprocessor)
    assert kept == pytest.approx(reply.best_validation_loss, rel=1e-3)


def test_a_training_that_diverges_from_its_start_is_refused(training_request, tmp_path):
    settings = {"epochs": 1, "learning_rate": 1e30, "schedule": "constant", "warmup": 0.0, "evaluations": 1}
    with pytest.raises(UserError) as refused:
        train(training_request(tmp_path, settings=settings), lambda event: None)
    assert str(refused.value).startswith("training.learning_rate is 1e+30: the training diverged")
    assert not (tmp_path / "adapter").exists()


def test_without_a_validation_split_the_last_adapter_is_kept(training_request, tmp_path, small_set):
    from videoguard.dataset.building import build_dataset

    store = small_set.store
    digests = {video: store.digest_of(video) for video in store.videos()}
    rule = {"validation": 0.0, "test": 0.5, "seed": 0, "system_prompt": small_set.system_prompt, "question": None}
    build_dataset(small_set.samples, digests, **rule, folder=tmp_path / "set")
    request = training_request(tmp_path, settings={"epochs": 0.5}, dataset=tmp_path / "set")
    reply = train(request, lambda event: None)
    assert (reply.best_step, reply.best_validation_loss) == (None, None)
    assert reply.steps == round(0.5 * math.ceil(reply.examples / 10))
    assert (tmp_path / "adapter/adapter_model.safetensors").is_file()
    assert all("validation_loss" not in point for point in read_log(tmp_path))


def test_accumulated_batches_are_one_step(training_request, tmp_path):
    request = training_request(tmp_path, settings={"epochs": 1, "batch_size": 5, "accumulation": 2})
    reply = train(request, lambda event: None)
    assert reply.steps == math.ceil(reply.examples / 10)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_another_process(trained, training_request, tmp_path):
    again, other = training_request(tmp_path / "again"), training_request(tmp_path / "other", seed=1)
    reply = call("videoguard.training", again, TrainingReply, threads=1, timeout_s=300.0)
    train(other, lambda event: None)
    assert reply.best_validation_loss == trained.reply.best_validation_loss
    first, second, third = (
        digest_file(folder / "adapter/adapter_model.safetensors") for folder in (trained.folder, again.output, other.output)
    )
    assert first == second != third


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["q_projection"], "q_projection matches no module of language, whose modules are down_proj, embed_tokens,"),
        (["q_proj", "fc1"], r"training.lora.targets is \('q_proj', 'fc1'\): fc1 matches no module of language"),
        (r".*vision_tower.*fc1", r".*: .*fc1 matches no module of language"),
    ],
)
def test_targets_that_match_nothing_are_refused(targets, said, training_request, tmp_path):
    with pytest.raises(UserError, match=said):
        train(training_request(tmp_path, settings={"lora": {"targets": targets}}), lambda event: None)
    assert list(tmp_path.iterdir()) == []


def test_all_linear_leaves_vision_and_projector_alone(training_request, tmp_path):
    settings = {"epochs": 0.1, "lora": {"r": 2, "alpha": 4, "targets": "all-linear"}}
    train(training_request(tmp_path, settings=settings), lambda event: None)
    names = load_file(tmp_path / "adapter/adapter_model.safetensors").keys()
    assert len(names) == 7 * 2 * 2
    assert all(".language_model." in name for name in names)


def test_too_long_examples_are_refused_before_the_training_all_at_once(training_request, tmp_path, small_set, preprocessor):
    examples = TrainingExamples(read_split(small_set.dataset, "train"), small_set.store, preprocessor, 4096)
    # Counted from texts and frame sizes, without encoding more than one; and as the processor really writes them.
    assert examples.lengths == [len(examples[index]["input_ids"]) for index in range(len(examples))]
    longest = max(examples.lengths)
    assert min(examples.lengths) < longest
    with pytest.raises(UserError) as refused:
        train(training_request(tmp_path, settings={"max_tokens": longest - 1}), lambda event: pytest.fail("it was trained"))
    message = str(refused.value)
    assert message.startswith(f"training.max_tokens is {longest - 1}; raise it, or take fewer or smaller frames: ")
    rows = read_split(small_set.dataset, "train")
    for row, length in zip(rows, examples.lengths, strict=True):
        assert (f"sample {row['id']} has {length} tokens" in message) == (length == longest)


def test_lengths_follow_the_shape_of_the_stored_frames(small_set, preprocessor):
    """A row counted by another one of its shape, as with more frames it would not be."""
    rows = read_split(small_set.dataset, "train")
    video = rows[0]["video"]
    frames, height, width = small_set.store.shape(video)
    assert small_set.store.frames(video).shape == (frames, height, width, 3)


def test_examples_are_encoded_once(small_set, preprocessor):
    examples = TrainingExamples(read_split(small_set.dataset, "train"), small_set.store, preprocessor, 4096)
    assert examples[1] is examples[1]
    assert examples[1] is not examples[0]


@pytest.mark.parametrize(("labels", "trained"), [([-100, -100], 0), ([5, 6], 2)])
def test_examples_without_a_prompt_or_an_answer_are_refused(labels, trained):
    with pytest.raises(UserError, match=f"{trained} of 2 tokens of an example are trained"):
        require_trained_tokens([{"labels": torch.tensor(labels)}])


@pytest.mark.parametrize(
    ("epochs", "batch", "accumulation", "examples", "steps"),
    [(1, 4, 1, 8, 2), (1, 4, 1, 9, 3), (3, 4, 2, 9, 6), (0.5, 4, 1, 16, 2), (0.01, 4, 1, 4, 1), (2.5, 1, 1, 2, 5)],
)
def test_steps_are_counted(epochs, batch, accumulation, examples, steps):
    settings = TrainingSection(epochs=epochs, batch_size=batch, accumulation=accumulation)
    assert count_steps(settings, examples) == steps
