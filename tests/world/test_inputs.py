"""Batch files and recipes: what is asked for, and what is refused before any work."""

import json
from pathlib import Path

import pytest

from videoguard.config.world import GenerationSection, WorldConfig
from videoguard.errors import UserError
from videoguard.recipes import read_recipe
from videoguard.world.inputs import list_items, read_batch
from videoguard.world.processes import count_processes


def batch(folder: Path, *rows: object) -> Path:
    path = folder / "batch.json"
    path.write_text(json.dumps(rows))
    return path


def config(**changes: object) -> WorldConfig:
    return WorldConfig.model_validate({"model": {"tiny": {}}, **changes})


def test_the_format_of_nvidia(tmp_path):
    (tmp_path / "a.jpg").touch()
    path = batch(
        tmp_path,
        {"input_video": "a.jpg", "prompt": "it rains", "output_video": "out/a.mp4"},
        {"input_image": "/b.png", "prompt": "it snows", "output_video": "b.mp4", "seed": 7, "negative_prompt": "blur"},
    )
    first, second = read_batch(path)
    assert (first.input, first.prompt, first.output, first.seed) == (tmp_path / "a.jpg", "it rains", Path("out/a.mp4"), None)
    assert (second.input, second.seed, second.negative_prompt) == (Path("/b.png"), 7, "blur")


def test_a_relative_input_lies_beside_the_file_or_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists").mkdir()
    Path("here.mp4").touch()
    path = batch(tmp_path / "lists", {"input_video": "here.mp4", "prompt": "x", "output_video": "a.mp4"})
    assert read_batch(path)[0].input == Path("here.mp4")
    Path("lists/here.mp4").touch()
    assert read_batch(path)[0].input == tmp_path / "lists" / "here.mp4"


def test_every_bad_row_is_told_at_once(tmp_path):
    path = batch(
        tmp_path,
        {"input_video": "a.jpg", "prompt": "x", "output_video": "a.mp4"},
        "text",
        {"input_video": "a.jpg", "input_image": "b.jpg", "prompt": "x", "output_video": "a.mp4"},
        {"input_video": "a.jpg", "prompt": 3, "output_video": "a.mp4", "style": "x"},
        {"input_video": "a.jpg", "prompt": "x", "output_video": "a.avi"},
        {"input_video": "a.jpg", "prompt": "x", "output_video": "a.mp4", "seed": -1},
    )
    with pytest.raises(UserError) as refused:
        read_batch(path)
    message = str(refused.value)
    for problem in (
        "6 problems",
        "row 2: it is str: it must be an object",
        "row 3: it has input_video, input_image: it must have one of",
        "row 4: style is not a known key",
        "row 4: prompt is 3: it must be a text",
        "row 5: output is 'a.avi': it must end in .mp4",
        "row 6: seed is -1: it must be at least 0",
    ):
        assert problem in message


@pytest.mark.parametrize(
    ("content", "reason"), [("{", "cannot be read"), ("{}", "it must be a JSON list"), ("[]", "JSON list")]
)
def test_a_file_that_is_no_list(tmp_path, content, reason):
    (tmp_path / "batch.json").write_text(content)
    with pytest.raises(UserError, match=reason):
        read_batch(tmp_path / "batch.json")
    with pytest.raises(UserError, match="does not exist"):
        read_batch(tmp_path / "absent.json")


def test_outputs_that_collide_and_inputs_that_would_be_overwritten(tmp_path):
    rows = [{"input_video": f"{name}.mp4", "prompt": "x", "output_video": "a.mp4"} for name in "abc"]
    with pytest.raises(UserError, match="2 problems") as refused:
        list_items(config(inputs={"batch": batch(tmp_path, *rows)}, output=tmp_path))
    assert "a.mp4 is the output of 3 items" in str(refused.value) or "a.mp4 is an input" in str(refused.value)


@pytest.mark.parametrize(
    ("generation", "reason"),
    [
        ({"frames": 92}, "frames is 92: it must be one more than a multiple of 4"),
        ({"frames": 5, "condition_frames": 5}, "frames is 5: it must be more than condition_frames, 5"),
        ({"size": [100, 64]}, r"size is \[100, 64\]: both sides must be divisible by 16"),
        ({"fps": 24}, "fps is 24"),
        ({"condition_frames": 3}, "condition_frames is 3"),
    ],
)
def test_settings_that_the_model_cannot_do(tmp_path, generation, reason):
    recipe = tmp_path / "recipe.yaml"
    items = [{"input": "a.jpg", "prompt": "x", "output": "a.mp4"}]
    recipe.write_text(json.dumps({"model": {"tiny": {}}, "inputs": {"items": items}, "generation": generation}))
    with pytest.raises(UserError, match=reason):
        read_recipe(WorldConfig, recipe)


def test_sizes_and_lengths_of_the_model():
    assert GenerationSection().pixels == (768, 432)
    assert GenerationSection(resolution="720p").pixels == (1280, 704)
    assert (GenerationSection().frame_count, GenerationSection(fps=10).frame_count) == (93, 61)


def test_guardrail_and_refiner_are_on_for_real_models():
    inputs = {"items": [{"input": "a.jpg", "prompt": "x", "output": "a.mp4"}]}
    tiny, real = config(inputs=inputs), config(inputs=inputs, model={"base": "some/base"})
    assert (tiny.guardrail, tiny.refiner) == ("off", "off")
    assert (real.guardrail, real.refiner) == ("cosmos", "vision")
    switched_off = config(inputs=inputs, model={"base": "some/base"}, safety={"guardrail": "off"})
    assert (switched_off.guardrail, switched_off.refiner) == ("off", "vision")


def test_a_process_a_gpu_and_none_without_work(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert count_processes(GenerationSection(), 8) == 3
    assert count_processes(GenerationSection(), 2) == 2
    assert count_processes(GenerationSection(processes=2), 8) == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert count_processes(GenerationSection(), 8) == 1
