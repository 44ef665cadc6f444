"""Lists of images become stored frames as videos do, or are quarantined by name."""

import io
from pathlib import Path

import pytest
from PIL import Image

from videoguard.digests import digest_file, digest_json, digest_media
from videoguard.frames.decoding import DecodeError
from videoguard.frames.extraction import extract_shard
from videoguard.frames.images import read_images
from videoguard.frames.index import index_frames
from videoguard.frames.rule import FrameRule, SourceLimits
from videoguard.frames.store import FrameStore, decode_frames

RULE = FrameRule(count=4, max_side=64, codec="png", jpeg_quality=95)


@pytest.fixture
def images(tmp_path) -> list[Path]:
    """Ten grey pictures of 64 by 48 pixels, each 20 levels lighter."""
    files = [tmp_path / f"{number}.png" for number in range(10)]
    for number, file in enumerate(files):
        Image.new("RGB", (64, 48), (20 * number,) * 3).save(file)
    return files


def levels(encoded: list[bytes]) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in decode_frames(encoded)]


def test_images_are_taken_in_their_order(images):
    clip = read_images([images[3], images[1], images[2]], RULE)
    assert levels(clip.frames) == [60, 20, 40]
    assert clip.timestamps_s == [0.0, 1.0, 2.0]
    assert (clip.width, clip.height, clip.source_width, clip.source_height) == (64, 48, 64, 48)
    assert (clip.source_frames, clip.duration_s, clip.source_fps) == (3, 3.0, 1.0)


def test_of_more_images_than_the_rule_takes_the_middles_of_equal_parts_are_taken(images):
    # Ten images in four parts of 2.5: their middles are 1.25, 3.75, 6.25 and 8.75.
    assert levels(read_images(images, RULE).frames) == [20, 60, 120, 160]


def test_an_image_is_turned_upright_and_scaled(tmp_path):
    file = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("L", (400, 200)).save(file, exif=exif)
    clip = read_images([file], RULE)
    assert (clip.width, clip.height) == (32, 64)
    assert (clip.source_width, clip.source_height) == (200, 400)
    assert Image.open(io.BytesIO(clip.frames[0])).mode == "RGB"


def test_images_of_several_sizes_need_a_rule_that_makes_them_one(tmp_path, images):
    other = tmp_path / "square.png"
    Image.new("RGB", (64, 64)).save(other)
    with pytest.raises(DecodeError, match=r"several sizes \(64 × 48 and 64 × 64 pixels\): frames.resize cover or exact"):
        read_images([images[0], other], RULE)
    exact = FrameRule(count=4, max_side=64, codec="png", jpeg_quality=95, resize="exact", width=32, height=32)
    assert decode_frames(read_images([images[0], other], exact).frames).shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("gone.png", None, r"the image gone\.png is missing"),
        ("text.jpg", b"not an image", r"the image text\.jpg cannot be read: cannot identify image file"),
        ("empty.jpg", b"", r"the image empty\.jpg cannot be read"),
        ("cut.png", "cut", r"the image cut\.png cannot be read"),
        ("broken.png", "broken", r"the image broken\.png cannot be read"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(tmp_path, images, name, content, reason):
    whole = images[5].read_bytes()
    contents = {"cut": whole[: len(whole) // 2], "broken": whole[:40] + b"\0" * 40 + whole[80:]}
    if content is not None:
        (tmp_path / name).write_bytes(contents.get(content, content))
    with pytest.raises(DecodeError, match=reason) as refused:
        read_images([images[0], tmp_path / name], RULE)
    assert str(tmp_path) not in str(refused.value)


def test_an_image_over_the_limits_is_refused_unread(images):
    limited = FrameRule(count=4, max_side=64, codec="png", jpeg_quality=95, limits=SourceLimits(longest_side=63))
    with pytest.raises(DecodeError, match=r"the image 0\.png is too large: .* frames\.limits\.longest_side is 63"):
        read_images(images[:1], limited)


def test_a_shard_holds_images_beside_videos(shared, images, tmp_path):
    video = shared / "data/clips/plank_00000340.mp4"
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    good, bad = (images[0], images[9]), (images[0], tmp_path / "bad.jpg")
    sources = {"video": video, "images": good, "bad": bad}
    digests = {name: digest_media(source) for name, source in sources.items()}
    shard, index = tmp_path / "shard", tmp_path / "index"
    shard.mkdir()
    index.mkdir()
    media = {digests[name]: source for name, source in sources.items()}
    counts = extract_shard(media, RULE, shard, workers=1, timeout_s=60)
    assert (counts.decoded, counts.quarantined, counts.frames) == (2, 1, 6)
    index_frames(digests, [shard], index)
    store = FrameStore(index, [shard])
    assert levels(store.encoded("images")) == [0, 180]
    assert store.quarantine() == [("bad", "the image bad.jpg cannot be read: cannot identify image file 'bad.jpg'")]


def test_the_content_of_images_is_their_bytes_in_order(images):
    one, other = digest_file(images[0]), digest_file(images[1])
    assert digest_media((images[0], images[1])) == digest_json([one, other])
    assert digest_media((images[1], images[0])) == digest_json([other, one])
    # One image in a list is not the video that has its bytes.
    assert digest_media((images[0],)) != digest_media(images[0]) == one
