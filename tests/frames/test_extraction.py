"""Contents to shards: what is stored, what is quarantined, and that no crash takes more than one video with it."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.errors import UserError
from videoguard.frames.extraction import ShardCounts, assign_shards, extract_shard
from videoguard.frames.rule import FrameRule

DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


def extract(media: dict[str, Path], folder: Path, rule: FrameRule | None = None, **changes: Any) -> ShardCounts:
    folder.mkdir()
    rule = rule or FrameRule(3, 640, "png", 95)
    return extract_shard(media, rule, folder, **({"workers": 2, "timeout_s": 60.0} | changes))


def reasons(folder: Path) -> dict[str, str]:
    return {row["media_digest"]: row["reason"] for row in pq.read_table(folder / "quarantine.parquet").to_pylist()}


def stored(folder: Path) -> list[str]:
    digests: list[str] = pq.read_table(folder / "frames.parquet")["media_digest"].to_pylist()
    return digests


def digests_of_files(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def with_a_bad_one(media, tmp_path) -> tuple[dict[str, Path], str]:
    """Twelve contents; the digest of the one whose file is named bad."""
    bad = sorted(media)[4]
    media[bad] = media[bad].rename(tmp_path / "bad.mp4")
    return media, bad


def test_real_clips_are_stored_and_bad_ones_quarantined_by_reason(shared, tmp_path):
    data = shared / "data"
    files = [path for folder in ("clips", "hard") for path in (data / folder).iterdir()]
    media = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}

    progress: list[tuple[int, int]] = []
    rule = FrameRule(8, 96, "jpeg", 95)
    counts = extract(media, tmp_path / "shard", rule, on_progress=lambda *args: progress.append(args))

    # Eight frames each of 11 files; the others have one frame, three (four files) and four.
    assert counts == ShardCounts(decoded=17, quarantined=5, frames=11 * 8 + 1 + 4 * 3 + 4)
    assert {media[digest].name: reason for digest, reason in reasons(tmp_path / "shard").items()} == {
        "audio_only.mp4": "it has no video stream",
        "corrupted.mp4": "the video is damaged: its stream cannot be decoded",
        "empty.mp4": "the file is empty",
        "text.mp4": "it is not a video file",
        "truncated.mp4": "the file is cut off or damaged: its index (the moov box) is missing",
    }
    assert progress == [(done, 22) for done in range(1, 23)]
    assert stored(tmp_path / "shard") == sorted(set(media) - set(reasons(tmp_path / "shard")))


def test_a_shard_is_the_same_whatever_the_files_are_called_and_however_many_processes_decode(media, tmp_path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    media[hashlib.sha256(b"").hexdigest()] = empty
    (tmp_path / "renamed").mkdir()
    renamed = {}
    for number, (digest, path) in enumerate(reversed(media.items())):
        renamed[digest] = tmp_path / f"renamed/{number}.bin"
        renamed[digest].write_bytes(path.read_bytes())

    assert extract(media, tmp_path / "one", workers=1) == ShardCounts(decoded=12, quarantined=1, frames=36)
    extract(renamed, tmp_path / "two", workers=2)
    assert digests_of_files(tmp_path / "one") == digests_of_files(tmp_path / "two")


def test_a_row_tells_what_the_file_holds(media, tmp_path):
    digest, path = next(iter(media.items()))
    extract({digest: path}, tmp_path / "shard", FrameRule(3, 16, "png", 95))
    (row,) = pq.read_table(tmp_path / "shard/frames.parquet").to_pylist()

    frames = row.pop("frames")
    assert [image[:4] for image in frames] == [b"\x89PNG"] * 3
    assert row.pop("timestamps_s") == pytest.approx([0.1, 0.3, 0.5], abs=1e-4)
    assert row == {
        "media_digest": digest,
        "width": 16,
        "height": 16,
        "source_width": 32,
        "source_height": 32,
        "source_fps": 10.0,
        "duration_s": pytest.approx(0.6, abs=1e-4),
        "source_frames": 6,
    }


def test_a_killed_decoding_process_quarantines_its_video_alone(with_a_bad_one, tmp_path, misbehaving):
    media, bad = with_a_bad_one
    counts = extract(media, tmp_path / "shard", read=misbehaving.killed_on_bad)

    assert counts == ShardCounts(decoded=11, quarantined=1, frames=33)
    assert reasons(tmp_path / "shard") == {bad: "the decoding process was ended by SIGKILL, twice"}
    assert stored(tmp_path / "shard") == sorted(set(media) - {bad})


def test_a_video_whose_process_was_killed_once_is_decoded_by_the_next(with_a_bad_one, tmp_path, misbehaving):
    media, _ = with_a_bad_one
    counts = extract(media, tmp_path / "shard", read=misbehaving.killed_on_first_attempt)
    assert counts == ShardCounts(decoded=12, quarantined=0, frames=36)


def test_a_video_that_takes_too_long_is_quarantined(with_a_bad_one, tmp_path, misbehaving):
    media, bad = with_a_bad_one
    counts = extract(media, tmp_path / "shard", read=misbehaving.endless_on_bad, timeout_s=2.0)
    assert counts.decoded == 11
    assert reasons(tmp_path / "shard") == {bad: "decoding took longer than 2 s, twice"}


def test_two_mishaps_that_differ_are_both_told(with_a_bad_one, tmp_path, misbehaving):
    media, bad = with_a_bad_one
    extract({bad: media[bad]}, tmp_path / "shard", read=misbehaving.killed_then_endless, timeout_s=1.0)
    told = "the decoding process was ended by SIGKILL; then decoding took longer than 1 s"
    assert reasons(tmp_path / "shard") == {bad: told}


def test_a_file_that_vanished_is_not_held_against_its_content(media, tmp_path):
    next(iter(media.values())).unlink()
    with pytest.raises(FileNotFoundError):
        extract(media, tmp_path / "shard")


def test_a_damaged_file_that_is_no_longer_the_content_is_refused(media, tmp_path):
    path = next(iter(media.values()))
    path.write_bytes(b"being copied")
    with pytest.raises(UserError, match=f"{path.name} has changed since the manifest was read"):
        extract(media, tmp_path / "shard")


def test_no_content_makes_an_empty_shard(tmp_path):
    assert extract({}, tmp_path / "shard") == ShardCounts(decoded=0, quarantined=0, frames=0)
    assert (stored(tmp_path / "shard"), reasons(tmp_path / "shard")) == ([], {})


@given(st.lists(DIGESTS, max_size=50), st.integers(1, 16))
def test_every_digest_is_once_in_the_shard_of_its_first_eight_digits(digests, shards):
    assigned = assign_shards(digests, shards)

    assert sorted(digest for shard in assigned.values() for digest in shard) == sorted(set(digests))
    assert list(assigned) == sorted(assigned)
    for number, shard in assigned.items():
        assert shard
        assert shard == sorted(shard)
        assert all(int(digest[:8], 16) % shards == number for digest in shard)


@given(st.sets(DIGESTS, min_size=1, max_size=50), DIGESTS, st.integers(1, 16))
def test_an_added_digest_touches_one_shard(digests, added, shards):
    before, after = assign_shards(digests, shards), assign_shards(digests | {added}, shards)
    changed = [number for number in after if after[number] != before.get(number)]
    assert changed == ([] if added in digests else [int(added[:8], 16) % shards])
