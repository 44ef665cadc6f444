"""`video-guard world generate`, whole: clips and the recipes beside them, what is stored, what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from openpyxl import load_workbook

from videoguard.frames.decoding import decode_video
from videoguard.frames.rule import FrameRule
from videoguard.world.demo import write_demo

RECIPE = {
    "name": "tiny",
    "model": {"tiny": {}, "dtype": "float32"},
    "inputs": {"batch": "data/batch.json"},
    "output": "out",
    "generation": {"size": [96, 64], "frames": 9, "steps": 2, "condition_frames": 5},
    "training": {
        "batch": "data/training.json",
        "rank": 2,
        "alpha": 4,
        "steps": 8,
        "warmup_steps": 0,
        "learning_rate": 5e-2,
    },
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
    assert record["weights"] == {"trained": 1.0}


@pytest.mark.slow
def test_base_and_adapter_are_measured_side_by_side(project, first):
    _, summary, _ = first
    assert summary["measures"].keys() == {"base", "adapted"}
    assert summary["measures"]["adapted"]["base_difference"] > 0
    assert "base_difference" not in summary["measures"]["base"]
    # One clip was generated twice, and came out the same.
    assert summary["differing"] == []
    book = load_workbook(project / summary["workbook"])
    assert book.sheetnames == ["Clips", "Errors", "Run"]
    run = {row[0].value: row[1].value for row in book["Run"].iter_rows(max_col=2)}
    assert run["Seeds"] == "1 of 1 clips that were made again had the same frames"


@pytest.mark.slow
def test_the_trained_adapter_is_registered_and_generates(project, first, tmp_path):
    import mlflow
    import pandas as pd

    _, summary, _ = first
    assert (summary["registered_model"], summary["version"]) == ("video-guard-world", "1")
    mlflow.set_tracking_uri(f"sqlite:///{project / '.video-guard' / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model("models:/video-guard-world/1")
    rows = pd.DataFrame(
        {
            "input": [str(project / "data" / "demo_0.mp4"), str(project / "recipe.yaml")],
            "prompt": json.loads((project / "data" / "batch.json").read_text())[0]["prompt"],
            "output": [str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4")],
        }
    )
    told = model.predict(rows)
    assert told["error"].isna().tolist() == [True, False]
    assert told["error"].iloc[1] == "it is not a video file"
    # In this process, with other threads, the last bits may differ from those of the flow's.
    again, before = (pictures_of(path).astype(float) for path in (tmp_path / "a.mp4", project / "out" / "demo_0.mp4"))
    assert abs(again - before).mean() < 1.0
    assert not (tmp_path / "b.mp4").exists()


@pytest.mark.slow
def test_the_file_beside_a_clip_makes_it_again_and_nothing_is_computed_twice(project, first):
    clip = project / "out" / "demo_1.mp4"
    made = clip.read_bytes()
    clip.unlink()
    status, summary, _ = generate(project, "out/demo_1.json")
    assert (status, summary["clips"]) == (0, ["out/demo_1.mp4"])
    assert clip.read_bytes() == made
    computed = {step["step"]: step["computed"] for step in summary["steps"]}
    assert {step: computed[step] for step in ("world-base", "world-training", "world-registry", "world-clip")} == {
        "world-base": 0,
        "world-training": 0,
        "world-registry": 0,
        "world-clip": 0,
    }
    # Made anew by the same recipe it is the same clip.
    status, summary, _ = generate(project, "out/demo_1.json", "--refresh", "world-clip")
    computed = {step["step"]: step["computed"] for step in summary["steps"]}
    # Base and adapted anew; since both came out with the same bytes, nothing after them was done again.
    assert (computed["world-clip"], computed["world-evaluation"], computed["world-report"]) == (2, 0, 0)
    assert clip.read_bytes() == made


@pytest.mark.slow
def test_what_is_refused(project):
    status, _, told = generate(project, "--input", "data/demo_0.mp4", "--prompt", "x")
    assert (status, "error: settings: model is missing: it must be given" in told) == (2, True)
    status, _, told = generate(project, "recipe.yaml", "--fps", "24", "--frames", "8")
    assert (status, "generation.fps is 24" in told) == (2, True)
    status, _, told = generate(project, "recipe.yaml", "--adapter", "data")
    assert (status, "adapter data: its layout is not known" in told) == (2, True)


def pictures_of(path: Path) -> npt.NDArray[np.uint8]:
    """Three frames of a clip."""
    return decode_video(path, FrameRule(3, 96, "png", 0)).frames
