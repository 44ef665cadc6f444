"""`video-guard world generate`, whole: clips and the recipes beside them, what is stored, what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from videoguard.world.demo import write_demo

RECIPE = {
    "name": "tiny",
    "model": {"tiny": {}, "dtype": "float32"},
    "inputs": {"batch": "data/batch.json"},
    "output": "out",
    "generation": {"size": [96, 64], "frames": 9, "steps": 1, "condition_frames": 5},
    "evaluation": None,
}


def generate(project: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, summary and what was told beside it."""
    ended = subprocess.run(
        [Path(sys.executable).with_name("video-guard"), "world", "generate", *arguments, "--json"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else {}, ended.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("project")
    write_demo(folder / "data", videos=2)
    rows = json.loads((folder / "data" / "batch.json").read_text())
    rows.append({"input_video": "absent.mp4", "prompt": "x", "output_video": "absent.mp4"})
    (folder / "data" / "batch.json").write_text(json.dumps(rows))
    (folder / "recipe.yaml").write_text(json.dumps(RECIPE))
    return folder


@pytest.fixture(scope="module")
def first(project) -> tuple[int, dict[str, Any], str]:
    """The first run: two clips are made and one input is missing."""
    return generate(project, "recipe.yaml")


@pytest.mark.slow
def test_clips_are_written_and_what_failed_is_named(project, first):
    status, summary, _ = first
    assert status == 1
    assert summary["clips"] == ["out/demo_0.mp4", "out/demo_1.mp4"]
    assert summary["failed"] == {"out/absent.mp4": "the input is missing"}
    assert summary["is_noise"]
    record = json.loads((project / "out" / "demo_0.json").read_text())["record"]
    assert (record["guardrail"], record["refiner"], record["seed"]) == ("off", "off", 0)


@pytest.mark.slow
def test_the_file_beside_a_clip_makes_it_again_and_nothing_is_computed_twice(project, first):
    clip = project / "out" / "demo_1.mp4"
    made = clip.read_bytes()
    clip.unlink()
    status, summary, _ = generate(project, "out/demo_1.json")
    assert (status, summary["clips"]) == (0, ["out/demo_1.mp4"])
    assert clip.read_bytes() == made
    assert {step["step"]: (step["computed"], step["reused"]) for step in summary["steps"]} == {
        "world-base": (0, 1),
        "world-clip": (0, 1),
    }
    # Made anew by the same recipe it is the same clip.
    status, summary, _ = generate(project, "out/demo_1.json", "--refresh", "world-clip")
    assert [step["computed"] for step in summary["steps"] if step["step"] == "world-clip"] == [1]
    assert clip.read_bytes() == made


@pytest.mark.slow
def test_what_is_refused(project):
    status, _, told = generate(project, "--input", "data/demo_0.mp4", "--prompt", "x")
    assert (status, "error: settings: model is missing: it must be given" in told) == (2, True)
    status, _, told = generate(project, "recipe.yaml", "--fps", "24", "--frames", "8")
    assert (status, "generation.fps is 24" in told) == (2, True)
    status, _, told = generate(project, "recipe.yaml", "--adapter", "data")
    assert (status, "adapter data: its layout is not known" in told) == (2, True)
