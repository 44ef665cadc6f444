"""Files that mean harm, or are broken: refused by limits, or contained; the run goes on and no process stays behind."""

import hashlib
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from videoguard.exercises.video import write_video
from videoguard.frames.decoding import DecodeError, decode_video
from videoguard.frames.extraction import ShardCounts, extract_shard
from videoguard.frames.pool import decoding_pool
from videoguard.frames.process import Refusal
from videoguard.frames.rule import FrameRule, SourceLimits
from videoguard.frames.store import decode_frames
from videoguard.frames.workers import OUT_OF_MEMORY

VARIANTS = 300
# Of the sample data, what is no video to begin with has nothing left to damage.
_NOTHING_TO_DAMAGE = {"empty.mp4", "text.mp4"}


def extract(media: dict[str, Path], folder: Path, rule: FrameRule, **limits) -> tuple[ShardCounts, dict[str, str]]:
    """Counts of the shard, and reason by digest of what was quarantined."""
    folder.mkdir()
    counts = extract_shard(media, rule, folder, **({"workers": 2, "timeout_s": 60.0} | limits))
    rows = pq.read_table(folder / "quarantine.parquet").to_pylist()
    return counts, {row["media_digest"]: row["reason"] for row in rows}


def children() -> set[int]:
    """Processes of this one, zombies included."""
    return {int(child) for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()}


@pytest.fixture
def clip(tmp_path) -> Path:
    """64 × 48 pixels, 12 frames in one second."""
    levels = np.linspace(20, 230, 12).astype(np.uint8)
    path: Path = tmp_path / "clip.mp4"
    write_video(path, np.broadcast_to(levels[:, None, None, None], (12, 48, 64, 3)), fps=12)
    return path


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (SourceLimits(longest_side=63), "its frames are 64 × 48 pixels: frames.limits.longest_side is 63"),
        (SourceLimits(pixels=3071), "its frames are 64 × 48 pixels: frames.limits.pixels is 3,071"),
        (SourceLimits(duration_s=0.9), "it lasts 1.0 s: frames.limits.duration_s is 0.9"),
        (SourceLimits(frames=11), "it has 12 frames: frames.limits.frames is 11"),
    ],
)
def test_a_source_above_a_limit_is_refused_with_value_and_limit(clip, limits, reason):
    with pytest.raises(DecodeError) as refused:
        decode_video(clip, FrameRule(4, 640, "png", 95, limits=limits))
    assert refused.value.reason == reason


def test_a_source_at_its_limits_is_decoded(clip):
    limits = SourceLimits(longest_side=64, pixels=64 * 48, duration_s=1.0, frames=12)
    assert len(decode_video(clip, FrameRule(4, 640, "png", 95, limits=limits)).frames) == 4


def test_a_bomb_is_refused_before_anything_of_it_is_decoded(tmp_path):
    write_video(tmp_path / "wide.mp4", np.zeros((2, 16, 9000, 3), np.uint8), fps=2)
    bomb = bytearray((tmp_path / "wide.mp4").read_bytes())
    data = bomb.index(b"mdat")
    bomb[data + 4 : bomb.index(b"moov") - 4] = b"\xff" * (bomb.index(b"moov") - data - 8)
    (tmp_path / "bomb.mp4").write_bytes(bomb)
    with pytest.raises(DecodeError, match=r"9,000 × 16 pixels: frames\.limits\.longest_side is 8,192"):
        decode_video(tmp_path / "bomb.mp4", FrameRule(4, 640, "png", 95))
    wider = SourceLimits(longest_side=9000)
    with pytest.raises(DecodeError, match="damaged"):
        decode_video(tmp_path / "bomb.mp4", FrameRule(4, 640, "png", 95, limits=wider))


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {name}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\n{path}\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 40404 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
def test_a_file_that_names_others_is_no_video(clip, text):
    playlist = clip.with_name("playlist.mp4")
    playlist.write_text(text.format(name=clip.name, path=clip))
    with pytest.raises(DecodeError, match="it is not a video file"):
        decode_video(playlist, FrameRule(3, 640, "png", 95))


def test_a_length_that_the_header_does_not_tell_is_refused_too(shared):
    # The container holds no number of frames.
    limits = SourceLimits(frames=309)
    with pytest.raises(DecodeError, match=r"it has 310 frames: frames\.limits\.frames is 309"):
        decode_video(shared / "data/clips/flipping_a_pancake.mkv", FrameRule(4, 640, "png", 95, limits=limits))


@pytest.mark.parametrize(
    ("greed", "reason"),
    [("greedy", OUT_OF_MEMORY), ("greedy_in_c", "the decoding process was ended by SIGSEGV, twice")],
)
def test_a_video_that_takes_too_much_memory_is_quarantined_alone(media, tmp_path, misbehaving, greed, reason):
    bad = sorted(media)[4]
    media[bad] = media[bad].rename(tmp_path / "bad.mp4")
    rule = FrameRule(3, 640, "png", 95)
    read = getattr(misbehaving, greed)
    counts, reasons = extract(media, tmp_path / "tight", rule, memory_mb=256, read=read)
    assert counts == ShardCounts(decoded=11, quarantined=1, frames=33)
    assert reasons == {bad: reason}


def test_frames_too_large_for_the_memory_limit_are_quarantined_and_the_process_lives_on(clip, tmp_path):
    frames = np.zeros((4, 2304, 4096, 3), np.uint8)
    frames[:, :, ::7] = 200
    write_video(tmp_path / "large.mp4", frames, fps=4)
    rule = FrameRule(4, 64, "png", 95)
    with decoding_pool(1) as pool:
        before = children()
        refused, small = pool.read([tmp_path / "large.mp4", clip], rule, timeout_s=60.0, memory_mb=32)
        (large,) = pool.read([tmp_path / "large.mp4"], rule, timeout_s=60.0, memory_mb=1024)
        assert len(children() - before) == 1
    assert refused == Refusal(OUT_OF_MEMORY, lasting=False)
    assert not isinstance(small, Refusal)
    assert not isinstance(large, Refusal)
    assert decode_frames(large.frames).shape == (4, 36, 64, 3)


def damaged(files: Sequence[Path], number: int) -> Iterator[bytes]:
    """Variants of the files in turn: cut off, with other bytes here and there, with the head of another file."""
    chance = random.Random(0)
    contents = [file.read_bytes() for file in files]
    for variant in range(number):
        content = bytearray(contents[variant % len(contents)])
        kind = variant % 3
        if kind == 0:
            del content[chance.randrange(1, len(content)) :]
        elif kind == 1:
            for _ in range(chance.choice([1, 8, 64, 512])):
                content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        else:
            head = chance.choice([8, 32, 512, 4096])
            content[:head] = chance.choice(contents)[:head]
        yield bytes(content)


@pytest.mark.slow
def test_each_of_many_damaged_files_ends_as_frames_or_as_a_named_quarantine(shared, tmp_path):
    data = shared / "data"
    files = [file for folder in ("clips", "hard") for file in sorted((data / folder).iterdir())]
    media = {}
    for variant, content in enumerate(damaged([file for file in files if file.name not in _NOTHING_TO_DAMAGE], VARIANTS)):
        (tmp_path / f"{variant}").write_bytes(content)
        media[hashlib.sha256(content).hexdigest()] = tmp_path / f"{variant}"

    before = children()
    counts, reasons = extract(media, tmp_path / "shard", FrameRule(8, 96, "jpeg", 95), timeout_s=20.0, memory_mb=512)

    assert children() == before, "a decoding process stayed behind"
    rows = pq.read_table(tmp_path / "shard/frames.parquet", columns=["media_digest", "frames"]).to_pylist()
    stored = {row["media_digest"]: row["frames"] for row in rows}
    assert (counts.decoded, counts.quarantined) == (len(stored), len(reasons))
    assert stored.keys() | reasons.keys() == media.keys()
    assert not stored.keys() & reasons.keys()
    assert all(1 <= len(decode_frames(frames)) <= 8 for frames in stored.values())
    assert len(stored) > 40
    for digest, reason in reasons.items():
        assert reason
        assert os.sep not in reason, reason
        assert media[digest].name not in reason.split()
