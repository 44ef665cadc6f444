"""Finding a base model: what is refused, with which words, and how soon."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from videoguard.errors import UserError
from videoguard.models.base import check_base, find_base
from videoguard.models.families import family_of


def folder_with(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_dot_", ".")).write_text(text)
    return folder


@pytest.mark.parametrize("look", [check_base, find_base])
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"model_dot_safetensors": ""}, "has no config.json: give a folder written by save_pretrained"),
        (
            {"config_dot_json": '{"model_type": "internvl"}'},
            "has no *.safetensors file: give a folder written by save_pretrained",
        ),
        (
            {"config_dot_json": '{"model_type": "bert"}', "model_dot_safetensors": ""},
            "model_type bert is not known: known are g",
        ),
        ({"config_dot_json": "{}", "model_dot_safetensors": ""}, "names no model_type"),
        ({"config_dot_json": "[]", "model_dot_safetensors": ""}, "names no model_type"),
        ({"config_dot_json": '{"model_type": 3}', "model_dot_safetensors": ""}, "names no model_type"),
        ({"config_dot_json": '{"model_type": ', "model_dot_safetensors": ""}, "names no model_type"),
        ({"config_dot_json": "\N{LATIN SMALL LETTER E WITH ACUTE}", "model_dot_safetensors": ""}, "names no model_type"),
    ],
)
def test_a_folder_that_is_no_model_is_refused(look, files, said, tmp_path):
    folder = folder_with(tmp_path / "model", **files)
    with pytest.raises(UserError) as refused:
        look(str(folder))
    assert said in str(refused.value)


@pytest.mark.parametrize("look", [check_base, find_base])
def test_an_empty_folder_and_a_file_are_refused(look, tmp_path):
    with pytest.raises(UserError, match="give a folder written by save_pretrained"):
        look(str(tmp_path))
    (tmp_path / "weights.safetensors").touch()
    with pytest.raises(UserError, match="give a folder written by save_pretrained"):
        look(str(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("look", [check_base, find_base])
@pytest.mark.parametrize("name", ["../no/such/folder", "a/b/c", "no such model", "-"])
def test_a_name_that_no_hub_model_can_have_is_refused(look, name):
    with pytest.raises(UserError) as refused:
        look(name)
    assert str(refused.value) == f"model.base is {name}: no such folder, and not a name of the hub (owner/model)"


@pytest.mark.parametrize("look", ["check_base", "find_base"])
@pytest.mark.parametrize("unreachable", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_a_hub_that_is_not_reached_is_a_refusal_within_bounds(look, unreachable, tmp_path):
    script = f"""
from videoguard.errors import UserError
from videoguard.models.base import {look}
try:
    {look}("nobody/no-such-model")
except UserError as refusal:
    print(refusal)
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), **unreachable}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.startswith("model.base is nobody/no-such-model: no such folder, and the hub did not give it (")
    assert "check the name, the network and, for a gated model, `hf auth login`" in ended.stdout


def test_a_model_is_found_with_its_family_and_digest(base, tiny_base):
    check_base(str(tiny_base))
    assert (base.folder, base.name, base.family.model_type) == (tiny_base, str(tiny_base), "internvl")
    assert len(base.digest) == 64


def test_the_digest_is_that_of_the_files_that_decide_what_the_model_does(tiny_base, tmp_path):
    def digest() -> str:
        return find_base(str(tmp_path)).digest

    for file in tiny_base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    before = digest()
    assert before == find_base(str(tiny_base)).digest
    (tmp_path / "README.md").write_text("a model")
    assert digest() == before
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "downsample_ratio": 0.5}))
    assert digest() != before


def test_only_the_language_model_is_outside_of_the_pattern(model):
    import re

    pattern = re.compile(family_of("internvl").not_language)
    names = [name for name, _ in model.named_modules() if name.endswith("_proj") or "fc" in name or "projector" in name]
    inside = {name for name in names if not pattern.fullmatch(name)}
    assert len(inside) == 7 * 2
    assert all(".language_model." in name for name in inside)
    assert any("vision_tower" in name for name in names)
    assert any("multi_modal_projector" in name for name in names)
