"""Videos to shards: what is stored, what is quarantined, and that no crash takes more than one video with it."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.errors import UserError
from videoguard.frames.extraction import (
    ExtractionCounts,
    Quarantined,
    assign_shards,
    extract_frames,
    identify_videos,
    require_decoded,
)
from videoguard.frames.store import FrameStore


def extract(videos: dict[str, Path], destination: Path, **changes: Any) -> ExtractionCounts:
    destination.mkdir()
    rule: dict[str, Any] = {"count": 3, "max_side": 640, "codec": "png", "jpeg_quality": 95, "shards": 3, "workers": 2}
    return extract_frames(videos, **({**rule, "timeout_s": 60.0, "destination": destination} | changes))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def misbehaving(monkeypatch):
    """The module of reading functions, where a spawned process finds it too."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import misbehaving  # type: ignore[import-not-found]

    return misbehaving


def test_real_clips_are_stored_and_bad_ones_quarantined_by_name_and_reason(shared, tmp_path):
    data = shared / "data"
    videos = {path.relative_to(data).as_posix(): path for folder in ("clips", "hard") for path in (data / folder).iterdir()}
    videos["hard/not_there.mp4"] = data / "hard/not_there.mp4"

    progress: list[tuple[int, int]] = []
    counts = extract(
        videos, tmp_path / "frames", count=8, max_side=96, codec="jpeg", on_progress=lambda *args: progress.append(args)
    )

    assert (counts.videos, counts.decoded, counts.contents, counts.quarantined) == (23, 17, 17, 6)
    # Eight frames each of 11 files; the others have one frame, three (four files) and four.
    assert counts.frames == 11 * 8 + 1 + 4 * 3 + 4
    assert {entry.video: entry.reason for entry in counts.quarantine} == {
        "hard/audio_only.mp4": "it has no video stream",
        "hard/corrupted.mp4": "the video is damaged: its stream cannot be decoded",
        "hard/empty.mp4": "the file is empty",
        "hard/not_there.mp4": "the file is missing",
        "hard/text.mp4": "it is not a video file",
        "hard/truncated.mp4": "the file is cut off or damaged: its index (the moov box) is missing",
    }
    assert progress[-1] == (23, 23)
    store = FrameStore(tmp_path / "frames")
    assert store.frames("clips/plank_00000340.mp4").shape == (8, 72, 96, 3)
    assert store.frames("hard/rotated_90.mov").shape == (3, 96, 54, 3)


def test_the_files_are_the_same_with_one_worker_and_with_two(videos, tmp_path):
    extract(videos, tmp_path / "one", workers=1)
    extract(dict(reversed(videos.items())), tmp_path / "two", workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_an_added_video_touches_one_shard(videos, tmp_path):
    extract(videos, tmp_path / "all")
    added = videos.pop("videos/7.mp4")
    extract(videos, tmp_path / "before")

    before, after = digests(tmp_path / "before"), digests(tmp_path / "all")
    shard = int(hashlib.sha256(added.read_bytes()).hexdigest()[:8], 16) % 3
    assert [name for name in after if after[name] != before[name]] == [f"frames-{shard:05d}-of-00003.parquet"]


def test_videos_of_equal_content_are_decoded_once_and_found_by_each_name(videos, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(videos["videos/0.mp4"].read_bytes())
    counts = extract({"copy.mp4": copy, "videos/0.mp4": videos["videos/0.mp4"]}, tmp_path / "frames")

    assert (counts.videos, counts.decoded, counts.contents) == (2, 2, 1)
    store = FrameStore(tmp_path / "frames")
    assert store.videos() == ["copy.mp4", "videos/0.mp4"]
    assert store.digest_of("copy.mp4") == store.digest_of("videos/0.mp4")


def test_a_row_tells_what_the_file_holds(videos, tmp_path):
    extract({"a.mp4": videos["videos/0.mp4"]}, tmp_path / "frames", max_side=16, shards=1)
    (row,) = pq.read_table(tmp_path / "frames/frames-00000-of-00001.parquet").to_pylist()

    frames = row.pop("frames")
    assert [image[:4] for image in frames] == [b"\x89PNG"] * 3
    assert row.pop("timestamps_s") == pytest.approx([0.1, 0.3, 0.5], abs=1e-4)
    assert row == {
        "media_digest": hashlib.sha256(videos["videos/0.mp4"].read_bytes()).hexdigest(),
        "videos": ["a.mp4"],
        "width": 16,
        "height": 16,
        "source_width": 32,
        "source_height": 32,
        "source_fps": 10.0,
        "duration_s": pytest.approx(0.6, abs=1e-4),
        "source_frames": 6,
    }


def test_a_killed_decoding_process_quarantines_its_video_alone(videos, tmp_path, misbehaving):
    videos["bad.mp4"] = videos["videos/3.mp4"].rename(tmp_path / "bad.mp4")
    del videos["videos/3.mp4"]
    counts = extract(videos, tmp_path / "frames", read=misbehaving.killed_on_bad)

    assert counts.decoded == 11
    assert [(entry.video, entry.reason) for entry in counts.quarantine] == [
        ("bad.mp4", "the decoding process was ended by SIGKILL, twice")
    ]
    assert FrameStore(tmp_path / "frames").quarantine() == [("bad.mp4", "the decoding process was ended by SIGKILL, twice")]


def test_a_video_whose_process_was_killed_once_is_decoded_by_the_next(videos, tmp_path, misbehaving):
    videos["bad.mp4"] = videos["videos/3.mp4"].rename(tmp_path / "bad.mp4")
    del videos["videos/3.mp4"]
    counts = extract(videos, tmp_path / "frames", read=misbehaving.killed_on_first_attempt)
    assert (counts.decoded, counts.quarantine) == (12, [])


def test_a_video_that_takes_too_long_is_quarantined(videos, tmp_path, misbehaving):
    videos["bad.mp4"] = videos["videos/3.mp4"].rename(tmp_path / "bad.mp4")
    del videos["videos/3.mp4"]
    counts = extract(videos, tmp_path / "frames", read=misbehaving.endless_on_bad, timeout_s=2.0)
    assert counts.decoded == 11
    assert [entry.reason for entry in counts.quarantine] == ["decoding took longer than 2 s, twice"]


def test_no_video_at_all_is_refused_with_the_first_reasons(tmp_path):
    counts = extract({f"{number}.mp4": tmp_path / f"{number}.mp4" for number in range(7)}, tmp_path / "frames")
    with pytest.raises(UserError) as refused:
        require_decoded(counts, Path("list.json"))
    lines = str(refused.value).splitlines()
    assert lines[0] == "list.json: none of its 7 videos can be decoded; check data.media_root and the files"
    assert lines[1] == "  - 0.mp4: the file is missing"
    assert lines[-1] == "  - and 2 more"


def test_some_decoded_videos_are_enough():
    require_decoded(ExtractionCounts(videos=2, decoded=1), Path("list.json"))


def test_a_folder_in_the_place_of_a_video_is_told(tmp_path):
    contents, unreadable = identify_videos({"folder": tmp_path}, 1)
    assert contents == []
    assert unreadable == [Quarantined("folder", "the file cannot be read: Is a directory", None)]


@given(st.sets(st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}"), max_size=50), st.integers(1, 16))
def test_every_digest_is_in_the_shard_of_its_first_eight_digits(names, shards):
    assigned = assign_shards(names, shards)

    assert len(assigned) == shards
    assert sorted(digest for shard in assigned for digest in shard) == sorted(names)
    for number, shard in enumerate(assigned):
        assert shard == sorted(shard)
        assert all(int(digest[:8], 16) % shards == number for digest in shard)
