"""Frames read back from the shards."""

import hashlib
import io
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from videoguard.frames.decoding import decode_video
from videoguard.frames.extraction import extract_shard
from videoguard.frames.index import index_frames
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import FrameStore

Place = tuple[Path, list[Path]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, twenty_videos: dict[str, Path]) -> Place:
    """Index and shards: lossless frames of twenty videos in two shards, and one video in quarantine."""
    root = tmp_path_factory.mktemp("frames")
    names = {video: hashlib.sha256(file.read_bytes()).hexdigest() for video, file in twenty_videos.items()}
    files = {names[video]: file for video, file in twenty_videos.items()}
    # A shard of two row groups, and one of one.
    assigned = sorted(files)
    folders = []
    for number, digests in enumerate((assigned[:17], assigned[17:])):
        folder = root / f"shard-{number}"
        folder.mkdir()
        media = {digest: files[digest] for digest in digests}
        extract_shard(media, FrameRule(3, 640, "png", 95), folder, workers=2, timeout_s=60.0)
        folders.append(folder)
    index = root / "index"
    index.mkdir()
    index_frames({**names, "gone.mp4": None}, folders, index)
    return index, folders


def means(store: FrameStore, video: str) -> list[float]:
    return [float(mean) for mean in store.frames(video).mean(axis=(1, 2, 3))]


def test_frames_are_those_that_the_decoder_gave(place, twenty_videos):
    store = FrameStore(*place)
    for video, file in twenty_videos.items():
        decoded = decode_video(file, FrameRule(3, 640, "png", 95))
        np.testing.assert_array_equal(store.frames(video), decoded.frames)
        np.testing.assert_array_equal(store.timestamps(video), decoded.timestamps_s)


def test_places_are_those_in_the_files(place):
    store = FrameStore(*place)
    ordered = sorted(store.videos(), key=store.place_of)
    stored = [
        digest
        for folder in place[1]
        for digest in pq.read_table(folder / "frames.parquet", columns=["media_digest"])["media_digest"].to_pylist()
    ]
    assert [store.digest_of(video) for video in ordered] == stored
    assert len({store.place_of(video)[:2] for video in ordered}) == 3


def test_each_video_has_its_own_frames_in_whatever_order_they_are_asked_for(place, twenty_videos):
    assert pq.ParquetFile(place[1][0] / "frames.parquet").num_row_groups > 1
    store = FrameStore(*place)
    for number in [*range(19, -1, -3), *range(20)]:
        # Frames 1, 3 and 5 of six are taken, each 5 levels above the one before it.
        level = 20 + 10 * number
        assert means(store, f"videos/{number}.mp4") == pytest.approx([level + 5, level + 15, level + 25], abs=3)


def test_encoded_frames_are_image_files(place):
    images = FrameStore(*place).encoded("videos/0.mp4")
    assert [Image.open(io.BytesIO(image)).format for image in images] == ["PNG"] * 3


def test_videos_and_quarantine(place, twenty_videos):
    store = FrameStore(*place)
    assert store.videos() == sorted(twenty_videos)
    assert store.quarantine() == [("gone.mp4", "the file is missing")]


@pytest.mark.parametrize("video", ["gone.mp4", "other.mp4"])
def test_a_video_without_frames_is_a_key_error_that_names_it(place, video):
    with pytest.raises(KeyError, match=video):
        FrameStore(*place).frames(video)


def test_a_store_in_use_goes_to_a_spawned_process(place):
    store = FrameStore(*place)
    here = [means(store, f"videos/{number}.mp4") for number in (0, 19)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = list(pool.map(store.frames, ["videos/0.mp4", "videos/19.mp4"]))
    assert [[float(mean) for mean in frames.mean(axis=(1, 2, 3))] for frames in there] == here


def test_a_store_in_use_serves_both_sides_of_a_fork(place, twenty_videos):
    store = FrameStore(*place)
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


def test_a_store_serves_several_threads(place, twenty_videos):
    expected = {video: means(FrameStore(*place), video) for video in twenty_videos}
    store = FrameStore(*place)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda video: (video, means(store, video)), [*twenty_videos] * 8))
    assert all(mean == expected[video] for video, mean in found)


def test_a_pickled_store_carries_no_frames(place):
    store = FrameStore(*place)
    before = len(pickle.dumps(store))
    store.frames("videos/0.mp4")
    assert len(pickle.dumps(store)) == before


def test_names_and_quarantine_need_no_shard_on_disk(place, tmp_path):
    store = FrameStore(place[0], [tmp_path / "a", tmp_path / "b"])
    assert len(store.videos()) == 20
    assert len(store.quarantine()) == 1


def test_a_folder_that_is_no_index_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="it is not an index of frames"):
        FrameStore(tmp_path, [])


def test_too_few_shards_are_refused(place):
    index, folders = place
    with pytest.raises(ValueError, match="needs 2 shards, and 1 are given"):
        FrameStore(index, folders[:1])


def test_shards_in_another_order_are_refused_and_never_read_wrongly(place):
    index, folders = place
    store = FrameStore(index, folders[::-1])
    for video in store.videos():
        with pytest.raises(ValueError, match=rf"does not hold {video} .* in the order in which they were indexed"):
            store.frames(video)
