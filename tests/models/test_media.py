"""What a conversation shows: times as processors read them, and videos as images."""

import numpy as np
import pytest

from tests.models.conversations import IMAGE, VIDEO, pictures, say
from videoguard.models.media import TimedFrames, as_clips, as_images, as_tensor, metadata_of


def test_frames_without_times_are_shown_one_a_second():
    (clip,) = as_clips(pictures(3))
    assert clip.times.tolist() == [0.0, 1.0, 2.0]
    assert as_clips(None) == []


def test_each_medium_is_a_clip():
    timed = TimedFrames(pictures(2), np.array([0.5, 1.5]))
    clips = as_clips([timed, pictures(1)])
    assert clips[0] is timed
    assert [len(clip.times) for clip in clips] == [2, 1]


@pytest.mark.parametrize(
    ("times", "numbers", "end"),
    [
        # Two seconds apart, so that the clip lasts two seconds more.
        ([1.0, 3.0, 5.0], [1000, 3000, 5000], 7000),
        # NTSC: 1001 / 30000 s a frame.
        ([0.0, 1001 / 30000], [0, 33], 66),
        ([4.0], [4000], 5000),
        # Frames of one time, as of a damaged file: time still goes on.
        ([2.0, 2.0], [2000, 2000], 2001),
    ],
)
def test_times_are_numbers_of_frames_a_millisecond_each(times, numbers, end):
    clip = TimedFrames(pictures(len(times)), np.array(times))
    assert metadata_of(clip) == {
        "fps": 1000.0,
        "frames_indices": numbers,
        "total_num_frames": end,
        "duration": end / 1000,
    }


def test_pictures_become_tensors_with_the_colours_first():
    frames = pictures(2)
    tensor = as_tensor(TimedFrames(frames[::-1], np.arange(2.0)))
    assert tensor.shape == (2, 3, 48, 64)
    assert (tensor[0, 2].numpy() == frames[1, :, :, 2]).all()


def test_videos_become_images_in_their_places():
    messages = [say("user", "A", VIDEO), say("assistant", "B"), say("user", "C", IMAGE)]
    frames = pictures(3)
    shown, images = as_images(messages, as_clips([frames[:2], frames[2:]]))
    assert shown == [say("user", "A", IMAGE, IMAGE), say("assistant", "B"), say("user", "C", IMAGE)]
    assert (np.concatenate([image.pictures for image in images]) == frames).all()
    assert [image.times.tolist() for image in images] == [[0.0], [1.0], [0.0]]
