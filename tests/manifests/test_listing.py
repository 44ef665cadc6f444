"""The listing of a manifest: what later steps read of it, wherever the videos lie."""

import hashlib
import os
from pathlib import Path

import pytest

from videoguard.manifests.listing import make_listing, read_listing, stamp_files, write_listing
from videoguard.manifests.sample import Exchange, GuardAnnotation, RowProblem, Sample, Segment


def samples_in(folder: Path) -> list[Sample]:
    return [
        Sample("b.mp4#1", folder, "Which – exercise?", "squat 好", "b.mp4", split="test", fields={"subject": 7, "day": "x"}),
        Sample("b.mp4#2", folder, "How?", "well", "b.mp4", split="test", history=(Exchange("Which?", "squat"),)),
        Sample("gone.mp4", folder, "Which?", "lunge", "gone.mp4", label="lunge", system="Be brief."),
        Sample(
            "a/a.mp4", folder, "Watch.", "<response>", "a/a.mp4", guard=GuardAnnotation(("C3",), (Segment(("C3",), 0.5, 2),))
        ),
    ]


@pytest.fixture
def media(tmp_path) -> Path:
    folder: Path = tmp_path / "media"
    (folder / "a").mkdir(parents=True)
    (folder / "a/a.mp4").write_bytes(b"first")
    (folder / "b.mp4").write_bytes(b"second")
    return folder


def test_each_video_is_digested_once_by_name_and_a_missing_one_is_told(media):
    listing = make_listing(samples_in(media), [RowProblem(4, "video", "is missing")], "conversations")
    assert listing.media_digests == {
        "a/a.mp4": hashlib.sha256(b"first").hexdigest(),
        "b.mp4": hashlib.sha256(b"second").hexdigest(),
        "gone.mp4": None,
    }
    assert listing.problems == ["row 4, video: is missing"]
    assert listing.sources == {name: media / name for name in ("a/a.mp4", "b.mp4", "gone.mp4")}


def test_a_listing_is_read_as_it_was_written_also_in_another_place(media, tmp_path):
    listing = make_listing(samples_in(media), [], "conversations")
    write_listing(listing, tmp_path)
    assert read_listing(tmp_path, media) == listing
    elsewhere = Path("/elsewhere")
    assert read_listing(tmp_path, elsewhere).samples == samples_in(elsewhere)


def test_the_bytes_do_not_depend_on_where_the_videos_are(media, tmp_path):
    moved = tmp_path / "moved"
    for folder in (media, moved):
        if folder is moved:
            media.rename(moved)
        (tmp_path / "out" / folder.name).mkdir(parents=True)
        write_listing(make_listing(samples_in(folder), [], "flat"), tmp_path / "out" / folder.name)
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / "out" / name).iterdir()} for name in ("media", "moved")
    )
    assert first == second
    assert "squat 好" in first["samples.jsonl"].decode()


def test_the_files_of_a_content_are_those_of_a_clip_that_shows_it(tmp_path):
    for name, content in {"a.mp4": b"1", "same.mp4": b"1", "b.mp4": b"2", "x.png": b"3", "y.png": b"4"}.items():
        (tmp_path / name).write_bytes(content)
    cut = GuardAnnotation((), (Segment((), video="b.mp4"), Segment((), video="gone.mp4")))
    samples = [
        Sample("1", tmp_path, "?", "!", "a.mp4"),
        Sample("2", tmp_path, "?", "!", "same.mp4"),
        Sample("3", tmp_path, "?", "!", images=("y.png", "x.png")),
        Sample("4", tmp_path, "?", "!", "whole.mp4", guard=cut),
        Sample("5", tmp_path, "?", "!"),
    ]
    listing = make_listing(samples, [], "messages")
    named = {digest: name for name, digest in listing.media_digests.items() if digest is not None}
    assert len(named) == 3
    found = listing.media_of(named)
    assert found.pop(hashlib.sha256(b"1").hexdigest()) in (tmp_path / "a.mp4", tmp_path / "same.mp4")
    assert found.pop(hashlib.sha256(b"2").hexdigest()) == tmp_path / "b.mp4"
    assert list(found.values()) == [(tmp_path / "y.png", tmp_path / "x.png")]


def test_what_is_said_twice_is_kept_once(media, tmp_path):
    write_listing(make_listing(samples_in(media), [], "conversations"), tmp_path)
    first, second, *_ = read_listing(tmp_path, media).samples
    assert first.video is second.video
    assert first.root is second.root


def test_a_stamp_changes_when_a_file_is_written_lost_or_added(media):
    files = [media / "a/a.mp4", media / "b.mp4"]
    stamps = [stamp_files(files)]
    assert stamp_files(files) == stamps[0]
    os.utime(files[0], ns=(0, files[0].stat().st_mtime_ns + 1))
    stamps.append(stamp_files(files))
    files[1].write_bytes(b"seconds")
    stamps.append(stamp_files(files))
    files[1].unlink()
    stamps.append(stamp_files(files))
    stamps.append(stamp_files(files[:1]))
    assert len(set(stamps)) == 5


def test_files_of_other_names_have_other_stamps(media):
    assert stamp_files([media / "gone"]) != stamp_files([media / "gone too"])
    assert stamp_files([]) == stamp_files([])
