"""The estimate of a run against that run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from videoguard.config import RunConfig
from videoguard.dataset.building import read_split
from videoguard.errors import UserError
from videoguard.estimate.estimating import estimate_run
from videoguard.estimate.preview import PreviewRequest
from videoguard.estimate.previewing import preview
from videoguard.estimate.result import require_possible
from videoguard.models.base import find_base
from videoguard.models.loading import load_processor
from videoguard.models.preprocessing import IGNORED, Preprocessor
from videoguard.training.examples import TrainingExamples


@pytest.fixture(scope="module")
def settings(small_set, tiny_base, training_request, tmp_path_factory) -> dict[str, Any]:
    """The recipe of the fixtures of training."""
    request = training_request(tmp_path_factory.mktemp("unused"))
    return {
        "name": "small",
        "data": {"manifest": small_set.manifest},
        "frames": small_set.rule.model_dump(),
        "dataset": {"validation": 0.15, "test": 0.25, "system_prompt": small_set.system_prompt},
        "model": {"base": str(tiny_base)},
        "training": request.training.model_dump(),
        "execution": {"state": tmp_path_factory.mktemp("state")},
    }


@pytest.fixture(scope="module")
def estimate(settings):
    return estimate_run(RunConfig.model_validate(settings))


@pytest.mark.slow
def test_samples_steps_and_parameters_are_those_of_the_run(estimate, trained, small_set):
    assert estimate.samples == {
        split: len(read_split(small_set.dataset, split)) for split in ("train", "validation", "test")
    }
    assert estimate.examples == trained.reply.examples
    assert estimate.steps == trained.reply.steps
    assert estimate.parameters.trainable == trained.reply.trainable_parameters
    assert estimate.parameters.total == trained.reply.total_parameters


def test_tokens_are_those_of_the_examples(estimate, small_set, tiny_base):
    base = find_base(str(tiny_base))
    preprocessor = Preprocessor(load_processor(base), base.family)
    for split in ("train", "validation"):
        examples = TrainingExamples(read_split(small_set.dataset, split), small_set.store, preprocessor, 4096)
        encoded = [examples[place] for place in range(len(examples))]
        lengths = [len(example["input_ids"]) for example in encoded]
        counts = estimate.tokens[split]
        assert (counts.longest, counts.total) == (max(lengths), sum(lengths))
        assert counts.mean == pytest.approx(sum(lengths) / len(lengths), abs=1e-9)
        assert counts.trained == sum(int((example["labels"] != IGNORED).sum()) for example in encoded)


def test_what_fits_is_not_refused(estimate):
    require_possible(estimate)
    assert estimate.memory_bytes == sum(need.bytes for need in estimate.memory) > 0


def test_what_does_not_fit_is_refused_with_all_numbers(estimate):
    device = estimate.device
    small = estimate.model_copy(
        update={"free_bytes": 10**6, "max_tokens": 9, "device": type(device)("a small GPU", 1000, True)}
    )
    with pytest.raises(UserError) as refused:
        require_possible(small)
    told = str(refused.value).splitlines()
    assert told[0] == "small: 4 problems"
    assert "tokens: training.max_tokens is 9" in told[1]
    assert "a small GPU has 1.0 kB; the largest part is " in told[3]
    assert "1.0 MB are free there" in told[4]


def test_a_video_that_cannot_be_read_is_told_and_left_out(settings, small_set, tmp_path):
    rows = []
    for number, sample in enumerate(small_set.samples[:12]):
        shutil.copy(sample.path, tmp_path / f"{number}.mp4")
        rows.append({"video": f"{number}.mp4", "question": "Which?", "answer": sample.answer})
    (tmp_path / "bad.mp4").write_text("no video")
    rows.append({"video": "bad.mp4", "question": "Which?", "answer": "squat - good"})
    (tmp_path / "list.json").write_text(json.dumps(rows))
    found = estimate_run(RunConfig.model_validate({**settings, "data": {"manifest": tmp_path / "list.json"}}))
    assert found.unreadable == {"bad.mp4": "it is not a video file"}
    assert sum(found.samples.values()) == 12


def test_a_preview_marks_the_answer_and_folds_the_frames(settings):
    config = RunConfig.model_validate(settings)
    found = preview(PreviewRequest(config=config, sample=None), lambda event: None)
    trained = "".join(span.text for span in found.spans if span.trained)
    assert trained.endswith("<|im_end|>")
    assert found.split == "train"
    assert found.frames is not None
    assert found.frames[0] == 4
    read = "".join(span.text for span in found.spans if not span.trained)
    assert read.count("<IMG_CONTEXT>") == 4
    assert read.startswith("<|im_start|>system\nYou are a fitness coach.")
    again = preview(PreviewRequest(config=config, sample=found.sample), lambda event: None)
    assert again == found


def test_a_sample_that_is_not_there_is_refused(settings):
    config = RunConfig.model_validate(settings)
    for sample, message in (("9999", "the training split has"), ("nobody.mp4", "no sample of .* has this id")):
        with pytest.raises(UserError, match=f"--sample {sample}: {message}"):
            preview(PreviewRequest(config=config, sample=sample), lambda event: None)


def test_text_alone_is_estimated_without_frames(shared, tmp_path):
    recipe = Path(__file__).parents[2] / "configs/fan_timeline_tiny.yaml"
    from videoguard.recipes import load_recipe

    schema = f"dataset.answer.json_schema={recipe.parent / 'schemas/timeline.json'}"
    manifest = f"data.manifest={shared / 'data/timeline/sft_data.jsonl'}"
    found = estimate_run(load_recipe(recipe, [schema, manifest, f"execution.state={tmp_path}"]))
    # 183 of the 536 rows fit the schema.
    assert sum(found.samples.values()) == 183
    assert found.tokens["train"].media_bytes == 0
    assert found.tokens["train"].longest < 400
    assert {need.part for need in found.disk} == {"rows", "base model", "adapter", "bookkeeping"}
