"""The program: what it refuses, in one line, with status 2, before any work."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands.main import main

PROGRAM = Path(sys.executable).with_name("video-guard")
GOOD_ROW = {"video": "a.mp4", "question": "Which exercise?", "answer": "squat - good"}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def video_guard(project, monkeypatch, capfd):
    """Runs the program's entry point in the project's folder, in this process."""
    monkeypatch.chdir(project)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["video-guard", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, *capfd.readouterr())

    return run


def program(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}
    return subprocess.run(
        [str(PROGRAM), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def project(tmp_path) -> Path:
    """A working folder with a recipe that would run: a manifest of one video and the tiny model."""
    folder: Path = tmp_path
    (folder / "data").mkdir()
    (folder / "data/list.json").write_text(json.dumps([GOOD_ROW]))
    (folder / "recipe.yaml").write_text("name: trial\ndata: {manifest: data/list.json}\nmodel: {tiny: {}}\n")
    (folder / "bare").mkdir()
    return folder


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["training.epoch=2"], "error: recipe.yaml: training.epoch is not a known key: did you mean epochs?"),
        (["data={}"], "error: recipe.yaml: data.manifest is missing: it must be given"),
        (["training.epochs=many"], "error: recipe.yaml: training.epochs is 'many': it must be a valid number"),
        (["training.epochs"], "error: --set training.epochs: it must read section.key=value, such as training.epochs=2"),
        (
            ["data.manifest=data/gone.json"],
            "error: manifest data/gone.json does not exist: data.manifest must name a file, a folder that `datasets` saved",
        ),
        (["data.media_root=gone"], "error: data.media_root gone is not a folder"),
        (
            ["model={base: bare}"],
            "error: model bare: bare has no *.safetensors file: give a folder written by save_pretrained",
        ),
        (
            ["model={base: data/list.json}"],
            "error: model data/list.json: data/list.json has no *.safetensors file: give a folder written by",
        ),
        (["model={base: nobody/no-such-model}"], "error: model.base is nobody/no-such-model: no such folder, and the hub"),
        (
            ["model={tiny: {family: gpt2}}"],
            "error: data/list.json shows videos or images, and a gpt2 model reads text only: take a vision-language model",
        ),
        (["model={base: ./gone}"], "error: model.base is ./gone: no such folder, and not a name of the hub (owner/model)"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_any_work(overrides, said, video_guard, project):
    arguments = [part for override in overrides for part in ("--set", override)]
    ended = video_guard("run", "recipe.yaml", *arguments)
    assert ended.status == 2
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not (project / ".video-guard").exists()


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("cut_off.json", "is cut off at line"),
        ("empty.json", "is empty: it must hold a list of rows"),
        ("empty_list.json", "is an empty list: it must have at least one row"),
        ("latin1.json", "is not UTF-8"),
        ("not_a_list.json", "it must be a list of rows"),
        ("messages_wrong_roles.json", "rows can be read"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_told_with_its_file(manifest, said, video_guard, shared):
    path = shared / "data/broken" / manifest
    ended = video_guard("run", "recipe.yaml", "--set", f"data.manifest={path}", "--json")
    assert ended.status == 2
    assert ended.stderr.startswith(f"error: manifest {path}")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_all_mistakes_are_told_at_once_by_the_installed_program(project):
    ended = program(project, "run", "recipe.yaml", "--set", "training.epochs=0", "--set", "frames.count=0")
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "error: recipe.yaml: 2 problems",
        "  - frames.count is 0: it must be at least 1",
        "  - training.epochs is 0: it must be greater than 0",
    ]


@pytest.mark.parametrize("arguments", [["run"], ["run", "recipe.yaml", "--sett", "a=1"], ["walk"], ["doctor", "now"]])
def test_a_command_line_that_is_not_understood_has_status_2(arguments, video_guard):
    ended = video_guard(*arguments)
    assert ended.status == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.mp4"], "error: nowhere.mp4 is not there: give a video file, a folder of frames, or an address"),
        (["data", "--threshold", "C9=1"], "error: --threshold C9=1: write C3=0.6 for one of C1, C2, C3, C4, C5, C6"),
        (["data", "--threshold", "C3=0"], "error: --threshold C3=0: write C3=0.6"),
        (["data"], "error: model bare: bare has no config.json: give a folder written by save_pretrained"),
    ],
)
def test_the_guard_refuses_what_it_cannot_watch_or_judge_by(arguments, said, video_guard):
    ended = video_guard("guard", *arguments, "--model", "bare")
    assert ended.status == 2
    assert said in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["run", "doctor", "guard"])
def test_every_command_shows_an_example(command, video_guard):
    ended = video_guard(command, "--help")
    assert ended.status == 0
    assert f"Example: video-guard {command}" in ended.stdout


def test_the_program_lists_its_commands(project):
    ended = program(project, "--help")
    assert ended.returncode == 0
    assert all(f"  {command} " in ended.stdout for command in ("run", "doctor"))


@pytest.mark.slow
def test_doctor_prints_nothing_but_json_on_standard_output(project):
    ended = program(project, "doctor", "--json")
    assert ended.returncode in {0, 1}
    findings = json.loads(ended.stdout)
    assert {"name", "status", "found", "mend"} <= findings[0].keys()
    assert ended.returncode == int(any(finding["status"] == "missing" for finding in findings))
