"""A run that does not fit is refused before it decodes anything."""

import json
import shutil
from collections import namedtuple

import pytest

from tasks.manifest import read_listing_task
from tasks.space import check_space
from tasks.step import start_work
from videoguard.config import RunConfig
from videoguard.errors import UserError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def config(tmp_path, small_set, tiny_base) -> RunConfig:
    for number, sample in enumerate(small_set.samples[:3]):
        shutil.copy(sample.path, tmp_path / f"{number}.mp4")
    rows = [{"video": f"{number}.mp4", "question": "Which?", "answer": "squat - good"} for number in range(3)]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    return RunConfig.model_validate(
        {
            "name": "trial",
            "data": {"manifest": tmp_path / "list.json"},
            "frames": {"count": 100, "max_side": 2000, "codec": "png"},
            "model": {"base": str(tiny_base)},
            "execution": {"state": tmp_path / "state"},
        }
    )


def test_the_numbers_are_told_by_part(config, monkeypatch):
    place = start_work(config.execution, [])
    manifest = read_listing_task.fn(place, config.data)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 0, 10**9))
    with pytest.raises(UserError) as refused:
        check_space(place, config, manifest)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("the run needs 1.")
    assert lines[0].endswith("1.0 GB are free there")
    assert any(line.startswith("  - frames: ") and "3 videos × 100 frames" in line for line in lines)
    assert any(line.startswith("  - adapter: ") for line in lines)
    assert "artifacts gc" in lines[-1]


def test_what_is_stored_is_not_counted(config, monkeypatch):
    place = start_work(config.execution, [])
    manifest = read_listing_task.fn(place, config.data)
    monkeypatch.setattr("tasks.space.shard_is_stored", lambda *arguments: True)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 0, 10**9))
    check_space(place, config, manifest)
