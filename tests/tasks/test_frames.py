"""Shards of frames: a new video decodes the one that it falls into, and no other."""

import json
import shutil
from pathlib import Path

import pytest
from prefect import flow, unmapped

from tasks.frames import StoredFrames, extract_frames_task, index_frames_task, shards_of
from tasks.manifest import read_listing_task
from tasks.step import start_work
from videoguard.config import DataSection, ExecutionSection, FramesSection
from videoguard.summary import StepAccount, account

pytestmark = pytest.mark.slow

RULE = FramesSection(count=2, max_side=32, shards=6)


@pytest.fixture
def folder(tmp_path, small_set, prefect_server) -> Path:
    """A state folder, and a manifest of twelve videos."""
    (tmp_path / "data").mkdir()
    for number, sample in enumerate(small_set.samples[:13]):
        shutil.copy(sample.path, tmp_path / "data" / f"{number}.mp4")
    write_manifest(tmp_path, range(12))
    return tmp_path


def write_manifest(folder: Path, numbers: range) -> None:
    rows = [{"video": f"{number}.mp4", "question": "Which?", "answer": "squat - good"} for number in numbers]
    (folder / "data/list.json").write_text(json.dumps(rows))


def decode(folder: Path, rule: FramesSection = RULE) -> tuple[list[str], dict[str, StepAccount]]:
    """Names of the stored videos, and what each step computed and reused."""
    data = DataSection(manifest=folder / "data/list.json")

    @flow
    def decoding() -> tuple[list[str], dict[str, StepAccount]]:
        place = start_work(ExecutionSection(state=folder / "state"), [])
        manifest = read_listing_task(place, data)
        parts = shards_of(place, data, rule, manifest)
        shards = extract_frames_task.map(unmapped(place), unmapped(data), unmapped(rule), unmapped(manifest), parts).result()
        frames = StoredFrames(index=index_frames_task(place, data, manifest, shards), shards=tuple(shards))
        steps = account([manifest, *frames.artifacts], place.started)
        return frames.open(place).videos(), {step.step: step for step in steps}

    return decoding()


def test_a_new_video_decodes_its_shard_and_one_that_leaves_too(folder):
    videos, first = decode(folder)
    shards = first["frames"].computed
    assert (len(videos), first["frames"].reused) == (12, 0)
    assert 1 < shards <= 6

    write_manifest(folder, range(13))
    videos, grown = decode(folder)
    assert videos[-1] == "9.mp4"
    assert len(videos) == 13
    assert grown["frames"].computed == 1
    assert grown["frames"].reused in (shards - 1, shards)

    write_manifest(folder, range(12))
    _, again = decode(folder)
    assert (again["frames"].computed, again["frames"].reused) == (0, shards)


def test_a_renamed_video_is_not_decoded_again(folder):
    decode(folder)
    (folder / "data/0.mp4").rename(folder / "data/99.mp4")
    rows = json.loads((folder / "data/list.json").read_text())
    rows[0]["video"] = "99.mp4"
    (folder / "data/list.json").write_text(json.dumps(rows))
    videos, renamed = decode(folder)
    assert "99.mp4" in videos
    assert "0.mp4" not in videos
    assert renamed["frames"].computed == 0
    assert renamed["frames-index"].computed == 1


def test_another_rule_decodes_everything_again(folder):
    _, first = decode(folder)
    _, again = decode(folder, RULE.model_copy(update={"count": 3}))
    assert again["frames"].computed == first["frames"].computed
    assert again["manifest"].reused == 1
