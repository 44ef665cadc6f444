"""Videos that look alike, found among those that do not."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from videoguard.quality.hashing import find_copies, likeness, perceptual_hash
from videoguard.quality.scores import decode_luma


def scene(seed: int, frames: int = 4) -> np.ndarray:
    """Soft blobs that drift, as a room with a moving person has more of low frequencies than of high ones."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (8, 8), dtype=np.uint8)
    still = np.asarray(Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC))
    return np.stack([np.roll(still, 3 * frame, axis=1) for frame in range(frames)])


def stored(frames: np.ndarray, quality: int) -> np.ndarray:
    images = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=quality)
        images.append(file.getvalue())
    return decode_luma(images)


def smaller(frames: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(frame).resize((48, 36))) for frame in frames])


def test_a_copy_encoded_again_at_half_the_size_is_alike_and_another_scene_is_not():
    first = perceptual_hash(scene(0))
    assert likeness(first, perceptual_hash(stored(smaller(scene(0)), 60))) > 0.9
    assert max(likeness(first, perceptual_hash(scene(seed))) for seed in range(1, 20)) < 0.8


def test_a_mirror_image_and_another_order_are_no_copies():
    first = perceptual_hash(scene(0))
    assert likeness(first, perceptual_hash(scene(0)[:, :, ::-1])) < 0.8
    assert likeness(first, perceptual_hash(scene(0)[::-1])) < 0.95


def test_plain_pictures_are_alike_whatever_their_level():
    grey = perceptual_hash(np.full((2, 40, 40), 17, np.uint8))
    assert likeness(grey, perceptual_hash(np.full((2, 60, 30), 200, np.uint8))) == 1.0


def test_videos_of_other_numbers_of_frames_are_not_compared():
    assert likeness(perceptual_hash(scene(0, 3)), perceptual_hash(scene(0, 4))) == 0.0


def test_of_copies_the_first_by_name_stays():
    hashes = {
        "c.mp4": perceptual_hash(scene(0)),
        "a.mp4": perceptual_hash(stored(scene(0), 50)),
        "b.mp4": perceptual_hash(scene(1)),
        "short.mp4": perceptual_hash(scene(0, 3)),
        "short copy.mp4": perceptual_hash(scene(0, 3)),
    }
    copies = find_copies(hashes, above=0.9)
    assert {copy: first for copy, (first, _) in copies.items()} == {"c.mp4": "a.mp4", "short.mp4": "short copy.mp4"}
    assert copies["short.mp4"][1] == 1.0
    assert copies["c.mp4"][1] == pytest.approx(likeness(hashes["a.mp4"], hashes["c.mp4"]))


BITS = st.lists(st.integers(0, 15), min_size=1, max_size=3).map(lambda words: np.array(words, np.uint64))


@settings(max_examples=300)
@given(st.dictionaries(st.text("ab", max_size=5), BITS, max_size=12), st.floats(0.9, 1.0))
def test_what_stays_is_never_alike_and_what_goes_is_like_what_stays(hashes, above):
    copies = find_copies(hashes, above)
    stay = sorted(set(hashes) - set(copies))
    for number, name in enumerate(stay):
        assert all(likeness(hashes[name], hashes[other]) <= above for other in stay[number + 1 :])
    for copy, (first, share) in copies.items():
        assert first in stay
        assert first < copy
        assert share == pytest.approx(likeness(hashes[first], hashes[copy]))
        assert share > above
