"""Recipes as users write them: every mistake named with its file, field, value and rule, all of them at once."""

from pathlib import Path

import pytest

from videoguard.config import TinyModel
from videoguard.errors import UserError
from videoguard.recipes import flatten, load_recipe, reproduce_command

LEAST = "name: trial\ndata: {manifest: list.json}\nmodel: {tiny: {}}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, *overrides: str) -> str:
    """What is said of a recipe, without its path."""
    with pytest.raises(UserError) as refused:
        load_recipe(path, overrides)
    return str(refused.value).replace(str(path), "RECIPE")


def test_the_least_recipe_takes_every_default(tmp_path):
    config = load_recipe(write(tmp_path, LEAST))
    assert config.model.tiny == TinyModel()
    assert (config.frames.count, config.training.lora.r, config.execution.state) == (8, 16, Path(".video-guard"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LEAST + "trainning: {epochs: 2}", "RECIPE: trainning is not a known key: did you mean training?"),
        (LEAST + "training: {epoch: 2}", "RECIPE: training.epoch is not a known key: did you mean epochs?"),
        (
            LEAST + "training: {lora: {rank: 2}}",
            "training.lora.rank is not a known key: known are kind, r, alpha, dropout, targets, parts, modules_to_save",
        ),
        ("data: {manifest: list.json}\nmodel: {tiny: {}}", "RECIPE: name is missing: it must be given"),
        ("name: trial\ndata: {}\nmodel: {tiny: {}}", "RECIPE: data.manifest is missing: it must be given"),
        (LEAST + "training: {epochs: many}", "RECIPE: training.epochs is 'many': it must be a valid number"),
        (LEAST + "frames: {count: 0}", "RECIPE: frames.count is 0: it must be at least 1"),
        (LEAST + "frames: {codec: webp}", "RECIPE: frames.codec is 'webp': it must be 'jpeg' or 'png'"),
        (LEAST + "frames: 8", "RECIPE: frames is 8: it must be a mapping of keys"),
        (LEAST + "training: {learning_rate: .inf}", "RECIPE: training.learning_rate is inf: it must be a finite number"),
        (LEAST + "report: {folder: 3}", "RECIPE: report.folder is 3: it must be a path"),
        ("name: a b\ndata: {manifest: list.json}\nmodel: {tiny: {}}", "RECIPE: name is 'a b': it must match pattern"),
        (
            "name: trial\ndata: {manifest: list.json}\nmodel: {tiny: {}, base: some/model}",
            "RECIPE: model: exactly one of base (a model folder or hub name) and tiny must be given",
        ),
        (
            "name: trial\ndata: {manifest: list.json}\nmodel: {}",
            "RECIPE: model: exactly one of base (a model folder or hub name) and tiny must be given",
        ),
        (
            LEAST + "dataset: {validation: 0.5, test: 0.5}",
            "RECIPE: dataset: validation 0.5 and test 0.5 leave nothing to train on: together they must be below 1",
        ),
        (
            LEAST + "report: {bands: {meteor: {green: 0.2, yellow: 0.5}}}",
            "RECIPE: report.bands.meteor: yellow 0.5 is above green 0.2: it must be at most as high",
        ),
        (
            LEAST + "report: {sheets: [summary, run]}",
            "RECIPE: report: sheets lacks errors: it tells what is in no figure, and cannot be left out",
        ),
        (
            LEAST + "report: {sheets: [errors, run, errors]}",
            "RECIPE: report: sheets is errors, run, errors: each may stand in it once",
        ),
        (
            LEAST + "report: {sheet_titles: {run: 'Run/settings'}}",
            "RECIPE: report: sheet_titles.run is 'Run/settings': it must have 1 to 31 characters, none of \\ / ? * : [ ], "
            "and no ' at its start or end",
        ),
        (
            LEAST + "report: {sheet_titles: {run: History}}",
            "RECIPE: report: sheet_titles.run is 'History', which Excel keeps for itself: choose another",
        ),
        (
            LEAST + "report: {sheet_titles: {run: ERRORS}}",
            "RECIPE: report: sheet_titles calls two sheets 'errors': each needs a title of its own",
        ),
        ("", "recipe RECIPE holds NoneType: it must be a mapping of sections, such as `name: …`"),
        ("- name: trial", "recipe RECIPE holds list: it must be a mapping of sections"),
        ("name: [trial", "recipe RECIPE is not YAML: while parsing a flow sequence"),
        ("name: !!python/object/apply:os.getcwd []", "recipe RECIPE is not YAML: could not determine a constructor"),
    ],
)
def test_a_mistake_is_named_with_its_rule(text, said, tmp_path):
    assert said in refusal(write(tmp_path, text))


def test_every_mistake_is_named_at_once(tmp_path):
    path = write(tmp_path, "name: trial\nmodel: {tiny: {}}\ntraining: {epochs: no, warm_up: 0.1}\nframes: {count: 8.5}\n")
    assert refusal(path).splitlines() == [
        "RECIPE: 4 problems",
        "  - data is missing: it must be given",
        "  - frames.count is 8.5: it must be a valid integer, got a number with a fractional part",
        "  - training.epochs is False: it must be greater than 0",
        "  - training.warm_up is not a known key: did you mean warmup?",
    ]


def test_a_value_that_fits_neither_of_two_types_is_told_both_rules(tmp_path):
    assert refusal(write(tmp_path, LEAST), "training.lora.targets=3").splitlines()[1:] == [
        "  - training.lora.targets is 3: it must be a list",
        "  - training.lora.targets is 3: it must be a valid string",
    ]


def test_a_missing_file_says_what_to_give(tmp_path):
    assert refusal(tmp_path / "recipe.yaml") == (
        "recipe RECIPE does not exist: give the path of a YAML file, such as configs/quickstart.yaml"
    )


def test_a_folder_and_a_file_that_is_not_text_cannot_be_read(tmp_path):
    assert "cannot be read" in refusal(tmp_path)
    binary = tmp_path / "recipe.yaml"
    binary.write_bytes(b"name: \xff\xfe")
    assert "RECIPE cannot be read" in refusal(binary)


def test_overrides_are_laid_over_in_yaml(tmp_path):
    config = load_recipe(
        write(tmp_path, LEAST),
        [
            "training.epochs=0.5",
            "training.learning_rate=4e-3",
            "training.lora.targets=[q_proj, v_proj]",
            "report.title=A trial = one",
            "dataset.system_prompt=",
            "model.tiny.layers=1",
            "training.epochs=2",
        ],
    )
    assert config.training.epochs == 2
    assert config.training.learning_rate == 0.004
    assert config.training.lora.targets == ("q_proj", "v_proj")
    assert config.report.title == "A trial = one"
    assert config.dataset.system_prompt is None
    assert config.model.tiny == TinyModel(layers=1)


@pytest.mark.parametrize("override", ["training.epochs", "=2", "training.=2", ".epochs=2", "training..epochs=2", ""])
def test_a_malformed_override_is_refused(override, tmp_path):
    said = refusal(write(tmp_path, LEAST), override)
    assert said == f"--set {override}: it must read section.key=value, such as training.epochs=2"


def test_an_override_is_refused_like_a_line_of_the_file(tmp_path):
    path = write(tmp_path, LEAST)
    assert refusal(path, "training.epoch=2") == "RECIPE: training.epoch is not a known key: did you mean epochs?"
    assert refusal(path, "name.first=2").startswith("RECIPE: name is {'first': 2}")
    assert "--set training.epochs=[: the value is not YAML" in refusal(path, "training.epochs=[")


def test_flatten_joins_names_in_their_order():
    nested = {"b": {"z": 1, "a": {"deep": [1, 2]}}, "a": None, "c": {}}
    assert list(flatten(nested).items()) == [("b.z", 1), ("b.a.deep", [1, 2]), ("a", None)]


def test_the_command_that_reproduces_a_run_is_quoted_for_the_shell():
    assert reproduce_command("configs/a.yaml", ["report.title=My trial", "training.epochs=2"]) == (
        "video-guard run configs/a.yaml --set 'report.title=My trial' --set training.epochs=2"
    )
