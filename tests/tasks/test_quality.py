"""From a manifest to a dataset with rules of quality between: what is left out is in no split, and is listed."""

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.dataset import build_dataset_task
from tasks.frames import StoredFrames, extract_frames_task, index_frames_task, shards_of
from tasks.manifest import read_listing_task
from tasks.quality import judge_quality, judge_quality_task
from tasks.step import Workplace, start_work
from videoguard.artifacts.records import Artifact
from videoguard.config import QualitySection, RunConfig
from videoguard.dataset.building import read_split
from videoguard.dataset.splits import SPLITS
from videoguard.errors import UserError
from videoguard.exercises.video import write_video
from videoguard.quality.tables import read_quality


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> tuple[Workplace, RunConfig, Artifact, StoredFrames]:
    """Eight clips of different grey levels, the first two too dark, read and decoded."""
    folder: Path = tmp_path_factory.mktemp("quality")
    rows = []
    for number in range(8):
        ramp = np.linspace(0, 20, 16).astype(np.uint8)[None, None, :, None] + np.uint8(25 * number)
        frames = np.broadcast_to(ramp, (4, 16, 16, 3)) + np.arange(4, dtype=np.uint8)[:, None, None, None]
        write_video(folder / f"{number}.mp4", np.ascontiguousarray(frames), fps=4)
        rows.append({"video": f"{number}.mp4", "question": "Which?", "answer": "squat - good"})
    (folder / "list.json").write_text(json.dumps(rows))
    config = RunConfig.model_validate(
        {
            "name": "trial",
            "data": {"manifest": folder / "list.json"},
            "frames": {"count": 4, "shards": 2, "workers": 1},
            "quality": {"min_brightness": 40},
            "dataset": {"validation": 0.2, "test": 0.3},
            "model": {"tiny": {}},
            "execution": {"state": folder / "state"},
        }
    )
    place = start_work(config.execution, [])
    manifest = read_listing_task.fn(place, config.data)
    parts = shards_of(place, config.data, config.frames, manifest)
    shards = [extract_frames_task.fn(place, config.data, config.frames, manifest, part) for part in parts]
    index = index_frames_task.fn(place, config.data, manifest, shards)
    return place, config, manifest, StoredFrames(index=index, shards=tuple(shards))


def rows_of(place: Workplace, dataset: Artifact) -> set[str]:
    return {row["video"] for split in SPLITS for row in read_split(place.path(dataset), split)}


def test_videos_that_break_a_rule_are_listed_and_in_no_split(listed):
    place, config, manifest, frames = listed
    quality = judge_quality_task.fn(place, config.data, config.quality, manifest, frames, 1)
    dataset = build_dataset_task.fn(place, config.data, config.dataset, manifest, frames, 0, quality)

    assert quality.facts == {"kept": 6, "left_out": 2}
    assert rows_of(place, dataset) == {f"{number}.mp4" for number in range(2, 8)}
    judged = read_quality(place.path(quality))
    assert [video.video for video in judged if not video.kept] == ["0.mp4", "1.mp4"]
    assert {*(path.name for path in place.path(quality).iterdir())} >= {"videos.csv", "classes.csv"}


def test_a_recipe_without_rules_has_no_such_step_and_keeps_its_dataset(listed):
    place, config, manifest, frames = listed
    assert judge_quality(place, config.model_copy(update={"quality": None}), manifest, frames) is None
    dataset = build_dataset_task.fn(place, config.data, config.dataset, manifest, frames, 0)
    assert rows_of(place, dataset) == {f"{number}.mp4" for number in range(8)}


def test_rules_that_leave_nothing_are_refused(listed):
    place, config, manifest, frames = listed
    rules = QualitySection(min_width=64)
    with pytest.raises(UserError, match=r"the rules of quality leave out all of its 8 videos, by min_width \(8\)"):
        judge_quality_task.fn(place, config.data, rules, manifest, frames, 1)
