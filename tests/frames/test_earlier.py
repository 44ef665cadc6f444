"""What earlier shards hold is taken from them: the shard is the same, byte for byte, and only the rest is decoded."""

import hashlib
import shutil
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from videoguard.frames.earlier import EarlierFrames
from videoguard.frames.extraction import ShardCounts, extract_shard
from videoguard.frames.process import ReadVideo
from videoguard.frames.rule import FrameRule
from videoguard.frames.workers import read_video

RULE = FrameRule(3, 640, "png", 95)


@pytest.fixture
def media(twenty_videos, tmp_path) -> dict[str, Path]:
    """Twenty contents, more than one row group, and one without frames."""
    files = [tmp_path / f"{number}.mp4" for number in range(21)]
    for file, video in zip(files, twenty_videos.values(), strict=False):
        shutil.copy(video, file)
    files[20].write_text("no video")
    return {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in files}


def extract(
    media: dict[str, Path],
    folder: Path,
    earlier: Iterable[Path] = (),
    read: ReadVideo = read_video,
    timeout_s: float = 60.0,
) -> ShardCounts:
    folder.mkdir()
    with closing(EarlierFrames(media)) as held:
        for shard in earlier:
            held.add(shard)
        return extract_shard(media, RULE, folder, workers=2, timeout_s=timeout_s, earlier=held, read=read)


def some(media: dict[str, Path], places: Iterable[int]) -> dict[str, Path]:
    digests = sorted(media)
    return {digests[place]: media[digests[place]] for place in places}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def decoded(media: dict[str, Path]) -> set[str]:
    """Digests of the videos that were read by `misbehaving.noted`."""
    return {digest for digest, file in media.items() if file.with_suffix(".noted").exists()}


def test_only_what_is_new_is_decoded_and_the_shard_is_that_of_a_whole_decode(media, tmp_path, misbehaving):
    extract(media, tmp_path / "whole")
    extract(some(media, range(0, 21, 2)), tmp_path / "older")
    extract(some(media, [0, 1, 5, 20]), tmp_path / "newer")

    counts = extract(media, tmp_path / "grown", [tmp_path / "newer", tmp_path / "older"], misbehaving.noted)
    # Held are the eleven even places, 1 and 5.
    assert counts == ShardCounts(decoded=20, quarantined=1, frames=60, taken=13)
    bad = next(digest for digest, file in media.items() if file.name == "20.mp4")
    assert decoded(media) == set(some(media, [3, 7, 9, 11, 13, 15, 17, 19])) - {bad}
    assert bytes_of(tmp_path / "grown") == bytes_of(tmp_path / "whole")


def test_a_video_that_left_costs_no_decoding(media, tmp_path, misbehaving):
    extract(media, tmp_path / "before")
    fewer = some(media, range(1, 21))
    assert extract(fewer, tmp_path / "after", [tmp_path / "before"], misbehaving.faulty).taken == 20
    extract(fewer, tmp_path / "whole")
    assert bytes_of(tmp_path / "after") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("fails", ["killed_on_bad", "endless_on_bad"])
def test_what_may_have_been_the_machine_is_tried_again_and_what_was_the_file_is_not(media, tmp_path, misbehaving, fails):
    digest = next(digest for digest, file in media.items() if file.name == "4.mp4")
    media[digest] = media[digest].rename(tmp_path / "bad.mp4")
    # Two decoding processes, one of which is at work on the bad one: the others need not be many.
    chosen = {digest: file for digest, file in media.items() if file.name in {"bad.mp4", "20.mp4", "1.mp4"}}
    before = extract(chosen, tmp_path / "before", read=getattr(misbehaving, fails), timeout_s=2.0)
    assert before == ShardCounts(decoded=1, quarantined=2, frames=3)

    after = extract(chosen, tmp_path / "after", [tmp_path / "before"], misbehaving.noted)
    assert after == ShardCounts(decoded=2, quarantined=1, frames=6, taken=2)
    assert decoded(chosen) == {digest}
    refused = pq.read_table(tmp_path / "after/quarantine.parquet").to_pylist()
    assert [(row["reason"], row["lasting"]) for row in refused] == [("it is not a video file", True)]


def test_a_shard_that_is_removed_while_it_is_read_is_read_to_its_end(media, tmp_path, misbehaving):
    extract(media, tmp_path / "before")
    whole = bytes_of(tmp_path / "before")
    (tmp_path / "after").mkdir()
    with closing(EarlierFrames(media)) as held:
        held.add(tmp_path / "before")
        shutil.rmtree(tmp_path / "before")
        extract_shard(media, RULE, tmp_path / "after", workers=1, timeout_s=60.0, earlier=held, read=misbehaving.faulty)
    assert bytes_of(tmp_path / "after") == whole


def test_a_shard_that_breaks_while_it_is_read_is_not_believed(media, tmp_path, caplog):
    extract(media, tmp_path / "before")
    whole = bytes_of(tmp_path / "before")
    (tmp_path / "after").mkdir()
    with closing(EarlierFrames(media)) as held:
        held.add(tmp_path / "before")
        with (tmp_path / "before/frames.parquet").open("r+b") as file:
            file.truncate(1000)
        counts = extract_shard(media, RULE, tmp_path / "after", workers=2, timeout_s=60.0, earlier=held)
    assert counts.taken == 0
    assert "an earlier shard cannot be read any more" in caplog.text
    assert bytes_of(tmp_path / "after") == whole


def test_what_is_no_shard_holds_nothing(media, tmp_path):
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/frames.parquet").write_bytes(b"PAR1")
    held = EarlierFrames(media)
    for folder in (tmp_path / "cut", tmp_path / "gone"):
        held.add(folder)
    assert (len(held), held.folders, held.missing) == (0, [], set(media))
