"""Frames read back from the shards."""

import io
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from videoguard.frames.decoding import decode_video
from videoguard.frames.extraction import extract_frames
from videoguard.frames.store import FrameStore


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, twenty_videos: dict[str, Path]) -> Path:
    """Lossless frames of twenty videos in one shard, and one video in quarantine."""
    destination = tmp_path_factory.mktemp("frames")
    videos = {**twenty_videos, "gone.mp4": destination / "gone.mp4"}
    extract_frames(
        videos,
        count=3,
        max_side=640,
        codec="png",
        jpeg_quality=95,
        shards=1,
        workers=2,
        timeout_s=60.0,
        destination=destination,
    )
    return destination


def means(store: FrameStore, video: str) -> list[float]:
    return [float(mean) for mean in store.frames(video).mean(axis=(1, 2, 3))]


def test_frames_are_those_that_the_decoder_gave(folder, twenty_videos):
    store = FrameStore(folder)
    for video, file in twenty_videos.items():
        decoded = decode_video(file, 3, 640)
        np.testing.assert_array_equal(store.frames(video), decoded.frames)
        np.testing.assert_array_equal(store.timestamps(video), decoded.timestamps_s)


def test_each_video_has_its_own_frames_in_whatever_order_they_are_asked_for(folder, twenty_videos):
    assert pq.ParquetFile(folder / "frames-00000-of-00001.parquet").num_row_groups > 1
    store = FrameStore(folder)
    for number in [*range(19, -1, -3), *range(20)]:
        # Frames 1, 3 and 5 of six are taken, each 5 levels above the one before it.
        level = 20 + 10 * number
        assert means(store, f"videos/{number}.mp4") == pytest.approx([level + 5, level + 15, level + 25], abs=3)


def test_encoded_frames_are_image_files(folder):
    images = FrameStore(folder).encoded("videos/0.mp4")
    assert [Image.open(io.BytesIO(image)).format for image in images] == ["PNG"] * 3


def test_videos_and_quarantine(folder, twenty_videos):
    store = FrameStore(folder)
    assert store.videos() == sorted(twenty_videos)
    assert store.quarantine() == [("gone.mp4", "the file is missing")]


@pytest.mark.parametrize("video", ["gone.mp4", "other.mp4"])
def test_a_video_without_frames_is_a_key_error_that_names_it(folder, video):
    with pytest.raises(KeyError, match=video):
        FrameStore(folder).frames(video)


def test_a_store_in_use_goes_to_a_spawned_process(folder):
    store = FrameStore(folder)
    here = [means(store, f"videos/{number}.mp4") for number in (0, 19)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = list(pool.map(store.frames, ["videos/0.mp4", "videos/19.mp4"]))
    assert [[float(mean) for mean in frames.mean(axis=(1, 2, 3))] for frames in there] == here


def test_a_store_in_use_serves_both_sides_of_a_fork(folder, twenty_videos):
    store = FrameStore(folder)
    expected = {video: means(store, video) for video in twenty_videos}
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    children = [context.Process(target=lambda: answers.put({v: means(store, v) for v in twenty_videos})) for _ in range(2)]
    for child in children:
        child.start()
    assert {video: means(store, video) for video in twenty_videos} == expected
    assert [answers.get() for _ in children] == [expected] * 2
    for child in children:
        child.join()


def test_a_pickled_store_carries_no_frames(folder):
    store = FrameStore(folder)
    before = len(pickle.dumps(store))
    store.frames("videos/0.mp4")
    assert len(pickle.dumps(store)) == before


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="it is not a frame store"):
        FrameStore(tmp_path)
