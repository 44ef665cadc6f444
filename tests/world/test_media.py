"""What a clip begins with, and how it is written."""

import numpy as np
import pytest
from PIL import Image

from videoguard.frames.decoding import DecodeError
from videoguard.world.media import read_clip, read_condition, read_first_frames, write_clip


def greys(frames) -> list[int]:
    """Number of each frame of the long video, by its grey."""
    return [round(float(frame.mean()) / 5) for frame in frames]


def test_the_last_frames_are_taken(long_video):
    assert greys(read_condition(long_video, 1, 96, 64)) == [39]
    assert greys(read_condition(long_video, 5, 96, 64)) == [35, 36, 37, 38, 39]
    assert greys(read_first_frames(long_video, 3, 96, 64)) == [0, 1, 2]


def test_a_picture_covers_the_size_and_is_not_stretched(tmp_path):
    # A white square of 64 in the middle of a strip of 192: cut to 96×64 it is still a square of 64.
    picture = np.zeros((64, 192, 3), dtype=np.uint8)
    picture[:, 64:128] = 255
    Image.fromarray(picture).save(tmp_path / "wide.png")
    [frame] = read_condition(tmp_path / "wide.png", 1, 96, 64)
    assert frame.shape == (64, 96, 3)
    assert (frame[:, 16:80] == 255).all()
    assert (frame[:, :16] == 0).all()


@pytest.mark.parametrize("name", ["text.mp4", "empty.mp4", "audio_only.mp4"])
def test_a_file_that_is_no_video(shared, name):
    with pytest.raises(DecodeError):
        read_condition(shared / "data" / "hard" / name, 1, 96, 64)


def test_too_few_frames(shared, tmp_path):
    with pytest.raises(DecodeError, match="it has 3 frames, and condition_frames is 5"):
        read_condition(shared / "data" / "hard" / "three_frames.mp4", 5, 96, 64)
    Image.fromarray(np.zeros((64, 64, 3), dtype=np.uint8)).save(tmp_path / "picture.png")
    with pytest.raises(DecodeError, match="a picture is one frame, and condition_frames is 5"):
        read_condition(tmp_path / "picture.png", 5, 96, 64)


def test_a_rotated_video_is_upright(shared):
    turned = [read_condition(shared / "data" / "hard" / f"rotated_{angle}.mov", 1, 64, 64) for angle in (0, 90)]
    assert turned[0].shape == turned[1].shape


def test_a_clip_comes_back_nearly_as_it_was_and_equal_frames_give_equal_bytes(tmp_path):
    import av

    ramp = np.linspace(0, 255, 96).astype(np.uint8)
    frames = np.broadcast_to(ramp[None, None, :, None], (9, 64, 96, 3)).copy()
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name, frames, 10)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    back = read_clip(tmp_path / "a.mp4")
    assert back.shape == frames.shape
    assert np.abs(back.astype(int) - frames).mean() < 2
    with av.open(str(tmp_path / "a.mp4")) as opened:
        stream = opened.streams.video[0]
        assert (stream.codec_context.name, float(stream.average_rate or 0)) == ("h264", 10.0)
