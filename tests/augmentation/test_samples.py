"""Frames and words are mirrored together, or not at all."""

import numpy as np

from videoguard.augmentation.changes import Change
from videoguard.augmentation.samples import change_sample, mirror_messages
from videoguard.dataset.messages import conversation

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 8, 10, 3), dtype=np.uint8)


def test_a_flip_mirrors_frames_question_and_answer():
    messages = conversation(
        "Is the left arm straight?", "lunge - the right knee caves in", "The left hand is the person's own."
    )
    changed, frames = change_sample(messages, FRAMES, Change(flip=True))
    np.testing.assert_array_equal(frames, FRAMES[:, :, ::-1])
    assert changed == conversation(
        "Is the right arm straight?", "lunge - the left knee caves in", "The left hand is the person's own."
    )
    assert messages[1]["content"][1]["text"] == "Is the left arm straight?"


def test_a_flip_is_refused_where_the_words_are_open_and_the_rest_is_done():
    messages = conversation("Which exercise?", "squat - the right depth")
    changed, frames = change_sample(messages, FRAMES, Change(flip=True, brightness=0.5))
    assert changed == messages
    np.testing.assert_allclose(frames, FRAMES * 0.5, atol=1)


def test_without_a_flip_the_words_stay():
    messages = conversation("Which exercise?", "lunge - bend the left knee")
    changed, _ = change_sample(messages, FRAMES, Change(brightness=0.5))
    assert changed == messages


def test_a_question_that_is_open_refuses_too():
    assert mirror_messages(conversation("Is this the right form?", "yes")) is None
