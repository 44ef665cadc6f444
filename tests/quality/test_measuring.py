"""From stored frames to tables: real and synthetic clips, judged, written and read back."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videoguard.config import QualitySection
from videoguard.exercises.video import write_video
from videoguard.frames.extraction import extract_shard
from videoguard.frames.index import index_frames
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import FrameStore
from videoguard.quality.judging import judge_videos
from videoguard.quality.measuring import measure_videos
from videoguard.quality.tables import read_quality, write_quality


def store_of(files: dict[str, Path], folder: Path) -> FrameStore:
    digests = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    (folder / "shard").mkdir()
    media = {digests[name]: file for name, file in files.items()}
    extract_shard(media, FrameRule(8, 640, "jpeg", 95), folder / "shard", workers=1, timeout_s=60.0)
    (folder / "index").mkdir()
    index_frames(digests, [folder / "shard"], folder / "index")
    return FrameStore(folder / "index", [folder / "shard"])


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FrameStore:
    """A clip that moves, a copy of it of lower quality and half the size, one that stands still, and a black one."""
    folder = tmp_path_factory.mktemp("quality")
    chance = np.random.default_rng(0)
    coarse = chance.integers(30, 226, (9, 12), dtype=np.uint8)
    room = np.asarray(Image.fromarray(coarse).resize((128, 96), Image.Resampling.BICUBIC))
    moving = np.stack([np.roll(room, 6 * frame, axis=1) for frame in range(16)])[..., None].repeat(3, axis=3)
    half = np.stack([np.asarray(Image.fromarray(frame).resize((64, 48))) for frame in moving])
    still = np.broadcast_to(room.T[:96, :96, None], (16, 96, 96, 3))
    clips = {"moving.mp4": moving, "twin.mp4": half, "still.mp4": still, "=black.mp4": np.zeros((16, 96, 128, 3), np.uint8)}
    for name, frames in clips.items():
        write_video(folder / name, np.ascontiguousarray(frames), fps=8)
    return store_of({name: folder / name for name in clips}, folder)


LABELS: dict[str, list[str | None]] = {
    "moving.mp4": ["squat", "squat"],
    "twin.mp4": ["squat"],
    "still.mp4": ["plank"],
    "=black.mp4": [None],
}
RULES = QualitySection(max_black=0.5, max_likeness=0.9, min_motion=0.3)


def test_scores_tell_what_is_on_the_clips(store):
    progress: list[tuple[int, int]] = []
    measured = measure_videos(store, LABELS, threads=2, on_progress=lambda *done: progress.append(done))
    scores = {video.video: video.scores for video in measured}

    assert progress[-1] == (4, 4)
    assert [(video.video, video.label, video.samples) for video in measured] == [
        ("=black.mp4", None, 1),
        ("moving.mp4", "squat", 2),
        ("still.mp4", "plank", 1),
        ("twin.mp4", "squat", 1),
    ]
    assert {video.video: (video.width, video.height) for video in measured}["twin.mp4"] == (64, 48)
    assert scores["moving.mp4"].motion == 1.0
    assert scores["still.mp4"].motion == 0.0
    assert scores["still.mp4"].frozen == 1.0
    assert scores["=black.mp4"].black == 1.0
    assert scores["=black.mp4"].brightness < 5
    assert 100 < scores["moving.mp4"].brightness < 160


def test_the_black_one_and_the_copy_are_left_out_and_the_still_one_holds(store):
    judged = judge_videos(measure_videos(store, LABELS, threads=1), RULES)
    assert {video.video: list(video.reasons) for video in judged} == {
        "=black.mp4": ["max_black"],
        "moving.mp4": [],
        "still.mp4": [],
        "twin.mp4": ["max_likeness"],
    }


def test_tables_hold_every_video_with_its_decision_and_are_read_back(store, tmp_path):
    judged = judge_videos(measure_videos(store, LABELS, threads=1), RULES)
    write_quality(judged, tmp_path)

    assert read_quality(tmp_path) == judged
    with (tmp_path / "videos.csv").open(encoding="utf-8-sig", newline="") as file:
        videos = list(csv.DictReader(file))
    assert [row["video"] for row in videos] == ["'=black.mp4", "moving.mp4", "still.mp4", "twin.mp4"]
    assert [row["decision"] for row in videos] == ["left out", "kept", "kept", "left out"]
    assert videos[3]["reasons"].startswith("it looks like moving.mp4: ")
    assert (videos[2]["label"], videos[2]["kind"], videos[2]["frozen"]) == ("plank", "hold", "1")
    with (tmp_path / "classes.csv").open(encoding="utf-8-sig", newline="") as file:
        classes = list(csv.DictReader(file))
    assert classes[1] == {
        "class": "squat",
        "kind": "motion",
        "videos": "2",
        "kept": "1",
        "left_out": "1",
        "max_black": "0",
        "max_likeness": "1",
    }
    assert classes[2]["class"] == "(no class)"


def test_real_clips_are_neither_black_nor_frozen_nor_copies(shared, tmp_path):
    files = {file.name: file for file in (shared / "data/clips").iterdir()}
    files["black"] = shared / "data/hard/all_black.mp4"
    labels: dict[str, list[str | None]] = {name: ["plank" if name.startswith("plank") else None] for name in files}
    judged = judge_videos(measure_videos(store_of(files, tmp_path), labels, threads=2), RULES)
    assert [video.video for video in judged if not video.kept] == ["black"]
    # The plank of QVED is held: its class tells so by itself, and is asked for no motion.
    (plank,) = (video for video in judged if video.label == "plank")
    assert (plank.kind, plank.motion) == ("hold", 0.0)
