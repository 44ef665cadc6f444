"""Names joined to shards: what a manifest sees of them."""

import hashlib
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.errors import UserError
from videoguard.frames.extraction import extract_shard
from videoguard.frames.index import IndexCounts, Quarantined, index_frames, require_decoded
from videoguard.frames.rule import FrameRule


@pytest.fixture(scope="module")
def shards(tmp_path_factory, twenty_videos) -> tuple[list[Path], list[str], str]:
    """Two shards of two contents each, the second also with one that cannot be decoded; the digests."""
    root = tmp_path_factory.mktemp("shards")
    files = {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in twenty_videos.values()}
    digests = sorted(files)[:4]
    text = root / "text.mp4"
    text.write_text("no video")
    bad = hashlib.sha256(text.read_bytes()).hexdigest()
    folders = [root / "0", root / "1"]
    for folder, chosen in zip(folders, (digests[:2], digests[2:]), strict=True):
        folder.mkdir()
        media = {digest: files[digest] for digest in chosen}
        if folder == folders[1]:
            media[bad] = text
        extract_shard(media, FrameRule(3, 640, "png", 95), folder, workers=1, timeout_s=60.0)
    return folders, digests, bad


def test_every_name_of_a_content_is_in_the_index(shards, tmp_path):
    folders, (first, second, third, _), bad = shards
    (tmp_path / "index").mkdir()
    names = {"z.mp4": first, "gone.mp4": None, "b.mp4": third, "a copy.mp4": first, "text.mp4": bad, "c.mp4": second}
    counts = index_frames(names, folders, tmp_path / "index")

    reason = "it is not a video file"
    told = (Quarantined("gone.mp4", "the file is missing", None), Quarantined("text.mp4", reason, bad))
    assert counts == IndexCounts(decoded=4, quarantine=told)
    assert counts.quarantined == 2
    assert pq.read_table(tmp_path / "index/videos.parquet").to_pylist() == [
        {"video": "a copy.mp4", "media_digest": first, "shard": 0},
        {"video": "b.mp4", "media_digest": third, "shard": 1},
        {"video": "c.mp4", "media_digest": second, "shard": 0},
        {"video": "z.mp4", "media_digest": first, "shard": 0},
    ]
    assert pq.read_table(tmp_path / "index/quarantine.parquet").to_pylist() == [
        {"video": "gone.mp4", "reason": "the file is missing", "media_digest": None},
        {"video": "text.mp4", "reason": reason, "media_digest": bad},
    ]


def test_an_index_has_the_same_bytes_whatever_the_order_of_the_names(shards, tmp_path):
    folders, digests, bad = shards
    names = {**{f"{digest[:4]}.mp4": digest for digest in digests}, "text.mp4": bad, "gone.mp4": None}
    for place, listed in (("one", names), ("two", dict(reversed(names.items())))):
        (tmp_path / place).mkdir()
        index_frames(listed, folders, tmp_path / place)
    for file in ("videos.parquet", "quarantine.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@settings(deadline=None, max_examples=50)  # it writes files
@given(st.dictionaries(st.text(max_size=5), st.sampled_from([None, "a", "b", "c", "d", "e", "f"]), max_size=12))
def test_each_name_is_listed_once_with_the_shard_that_holds_its_content(names):
    decoded, failed = {"a": 0, "b": 0, "c": 1}, {"d": 0, "e": 1, "f": 1}
    with tempfile.TemporaryDirectory() as root:
        folders = [Path(root) / "0", Path(root) / "1"]
        for number, folder in enumerate(folders):
            folder.mkdir()
            held = [digest for digest, shard in decoded.items() if shard == number]
            pq.write_table(pa.table({"media_digest": held}), folder / "frames.parquet")
            lost = [digest for digest, shard in failed.items() if shard == number]
            pq.write_table(pa.table({"media_digest": lost, "reason": lost}), folder / "quarantine.parquet")
        counts = index_frames(names, folders, Path(root))
        videos = pq.read_table(Path(root) / "videos.parquet").to_pylist()

    assert {row["video"]: (row["media_digest"], row["shard"]) for row in videos} == {
        name: (digest, decoded[digest]) for name, digest in names.items() if digest in decoded
    }
    assert [row["video"] for row in videos] == sorted(name for name, digest in names.items() if digest in decoded)
    assert [(entry.video, entry.reason) for entry in counts.quarantine] == sorted(
        (name, digest or "the file is missing") for name, digest in names.items() if digest not in decoded
    )
    assert (counts.decoded, counts.quarantined) == (len(videos), len(names) - len(videos))


def test_a_content_that_no_shard_holds_is_told_by_name(shards, tmp_path):
    folders, digests, _ = shards
    with pytest.raises(ValueError, match=f"a.mp4 has the content {digests[3]}, which is in none of the 1 shards"):
        index_frames({"a.mp4": digests[3]}, folders[:1], tmp_path)


def test_no_video_at_all_is_refused_with_the_first_reasons(tmp_path):
    counts = index_frames({f"{number}.mp4": None for number in range(7)}, [], tmp_path)
    with pytest.raises(UserError) as refused:
        require_decoded(counts, Path("list.json"))
    lines = str(refused.value).splitlines()
    assert lines[0] == "list.json: none of its 7 videos can be decoded; check data.media_root and the files"
    assert lines[1] == "  - 0.mp4: the file is missing"
    assert lines[-1] == "  - and 2 more"


def test_some_decoded_videos_are_enough():
    require_decoded(IndexCounts(1, (Quarantined("a.mp4", "the file is missing", None),)), Path("list.json"))
