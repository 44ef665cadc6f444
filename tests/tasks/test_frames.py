"""Shards of frames: a new video makes the one that it falls into anew, and no other, and is all that is decoded."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect import flow, unmapped

from tasks.frames import StoredFrames, extract_frames_task, index_frames_task, shards_of
from tasks.manifest import read_listing_task
from tasks.step import start_work
from videoguard.artifacts.records import Artifact
from videoguard.config import DataSection, ExecutionSection, FramesSection
from videoguard.digests import digest_file
from videoguard.frames.extraction import shard_number
from videoguard.summary import StepAccount, account

pytestmark = pytest.mark.slow

RULE = FramesSection(count=2, max_side=32, shards=6)


@pytest.fixture
def folder(tmp_path: Path, small_set, prefect_server) -> Path:
    """A state folder, and a manifest of twelve videos."""
    (tmp_path / "data").mkdir()
    for number, sample in enumerate(small_set.samples[:13]):
        shutil.copy(sample.path, tmp_path / "data" / f"{number}.mp4")
    write_manifest(tmp_path, range(12))
    return tmp_path


def write_manifest(folder: Path, numbers: range) -> None:
    rows = [{"video": f"{number}.mp4", "question": "Which?", "answer": "squat - good"} for number in numbers]
    (folder / "data/list.json").write_text(json.dumps(rows))


class Decoded(NamedTuple):
    """What a run of the step came to."""

    videos: list[str]
    steps: dict[str, StepAccount]
    shards: list[Artifact]

    @property
    def contents(self) -> set[str]:
        """Digests of the shards."""
        return {shard.digest for shard in self.shards}

    def count(self, fact: str) -> int:
        """Sum over the shards."""
        return sum(int(str(shard.facts[fact])) for shard in self.shards)


def decode(
    folder: Path,
    rule: FramesSection = RULE,
    state: str = "state",
    refresh: Sequence[str] = (),
    shared: str | None = None,
) -> Decoded:
    data = DataSection(manifest=folder / "data/list.json")

    @flow
    def decoding() -> Decoded:
        place = start_work(ExecutionSection(state=folder / state, store=shared), refresh)
        manifest = read_listing_task(place, data)
        parts = shards_of(place, data, rule, manifest)
        shards = extract_frames_task.map(unmapped(place), unmapped(data), unmapped(rule), unmapped(manifest), parts).result()
        frames = StoredFrames(index=index_frames_task(place, data, manifest, shards), shards=tuple(shards))
        steps = account([manifest, *frames.artifacts], place.started)
        return Decoded(frames.open(place).videos(), {step.step: step for step in steps}, list(shards))

    return decoding()


def of_shard(decoded: Decoded, number: int) -> Artifact:
    (shard,) = [shard for shard in decoded.shards if shard.facts["cut"] == [number, RULE.shards]]
    return shard


def the_new_one(folder: Path) -> int:
    """Number of the shard that the thirteenth video falls into."""
    return shard_number(digest_file(folder / "data/12.mp4"), RULE.shards)


def test_a_new_video_is_the_only_one_decoded_and_one_that_leaves_costs_nothing(folder):
    first = decode(folder)
    shards = first.steps["frames"].computed
    assert (len(first.videos), first.steps["frames"].reused, first.count("taken")) == (12, 0, 0)
    assert first.steps["frames"].note == ""
    assert 1 < shards <= 6

    write_manifest(folder, range(13))
    grown = decode(folder)
    assert grown.videos[-1] == "9.mp4"
    assert len(grown.videos) == 13
    assert grown.steps["frames"].computed == 1
    assert grown.steps["frames"].reused in (shards - 1, shards)
    touched = of_shard(grown, the_new_one(folder))
    assert touched.facts["taken"] == int(str(touched.facts["decoded"])) - 1
    assert grown.steps["frames"].note.startswith("1 of ")
    assert decode(folder, state="elsewhere").contents == grown.contents

    # The shards as they were are still stored: without them the one is made anew, of frames that are there.
    for shard in first.shards:
        shutil.rmtree(folder / "state/artifacts" / shard.name)
    write_manifest(folder, range(12))
    again = decode(folder)
    assert again.contents == first.contents
    assert of_shard(again, the_new_one(folder)).facts["taken"] == of_shard(first, the_new_one(folder)).facts["decoded"]


def test_shards_cut_otherwise_are_made_of_what_is_stored(folder):
    first = decode(folder)
    again = decode(folder, RULE.model_copy(update={"shards": 4}))
    assert (again.count("decoded"), again.count("taken")) == (12, 12)
    assert not again.contents & first.contents
    assert decode(folder, RULE.model_copy(update={"shards": 4}), state="elsewhere").contents == again.contents


def test_a_damaged_earlier_shard_is_not_taken_from(folder):
    first = decode(folder)
    number = the_new_one(folder)
    file = folder / "state/artifacts" / of_shard(first, number).name / "frames.parquet"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    write_manifest(folder, range(13))
    grown = decode(folder)
    assert of_shard(grown, number).facts["taken"] == 0
    assert decode(folder, state="elsewhere").contents == grown.contents


def test_refreshed_frames_are_decoded(folder):
    first = decode(folder)
    again = decode(folder, refresh=["frames"])
    assert again.steps["frames"].computed == len(first.shards)
    assert again.count("taken") == 0


@pytest.mark.parametrize(("codec", "count", "less_to_fetch"), [("jpeg", 2, True), ("png", 8, False)])
def test_another_machine_takes_frames_from_the_shared_store_where_they_are_smaller_than_the_videos(
    folder, tmp_path, codec, count, less_to_fetch
):
    team = str(tmp_path / "team")
    rule = RULE.model_copy(update={"codec": codec, "count": count, "max_side": 32 * count})
    decode(folder, rule, shared=team)
    write_manifest(folder, range(13))
    grown = decode(folder, rule, state="second", shared=team)
    touched = of_shard(grown, the_new_one(folder))
    assert grown.steps["frames"].computed == 1
    assert touched.facts["taken"] == (int(str(touched.facts["decoded"])) - 1 if less_to_fetch else 0)


def test_a_renamed_video_is_not_decoded_again(folder):
    decode(folder)
    (folder / "data/0.mp4").rename(folder / "data/99.mp4")
    rows = json.loads((folder / "data/list.json").read_text())
    rows[0]["video"] = "99.mp4"
    (folder / "data/list.json").write_text(json.dumps(rows))
    renamed = decode(folder)
    assert "99.mp4" in renamed.videos
    assert "0.mp4" not in renamed.videos
    assert renamed.steps["frames"].computed == 0
    assert renamed.steps["frames-index"].computed == 1


def test_another_rule_decodes_everything_again(folder):
    first = decode(folder)
    again = decode(folder, RULE.model_copy(update={"count": 3}))
    assert again.steps["frames"].computed == first.steps["frames"].computed
    assert (again.count("decoded"), again.count("taken")) == (12, 0)
    assert again.steps["manifest"].reused == 1
