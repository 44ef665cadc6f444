"""Perceptual hashes: videos that look the same though their bytes differ.

The hash of a frame is pHash (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions"; the low
frequencies of the cosine transform against their median) with 16 × 16 frequencies of 32 × 32 pixels in place of 8 × 8: on 54
clips, copies that were encoded again at half the size differ in at most 6 % of these bits, other videos in at least 15 %.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from videoguard.quality.scores import Luma

Hash = npt.NDArray[np.uint64]
"""Bits of one video, `(frames * 4,) uint64`."""

_SIDE = 32
_FREQUENCIES = 16
_FRAME_WORDS = _FREQUENCIES * _FREQUENCIES // 64
_COSINES = np.cos(np.pi / _SIDE * np.outer(np.arange(_SIDE), np.arange(_SIDE) + 0.5))


def perceptual_hash(luma: Luma) -> Hash:
    """Hash of a video's grey frames, in their order."""
    return np.concatenate([_hash_frame(frame) for frame in luma])


def likeness(first: Hash, second: Hash) -> float:
    """Share of the bits in which two hashes agree; 0 where the videos have not as many frames."""
    return float(_likeness_to_each(first, second[None])[0]) if first.shape == second.shape else 0.0


def find_copies(hashes: Mapping[str, Hash], above: float) -> dict[str, tuple[str, float]]:
    """Of videos that look the same, all but the first by name, each with the first and its likeness to it.

    Compares each video with all that stay (`videos² / 2` comparisons at most, about two million a second).

    Args:
        hashes: by name of the video.
        above: two videos look the same where their likeness is above this.
    """
    copies: dict[str, tuple[str, float]] = {}
    for length in sorted({len(bits) for bits in hashes.values()}):
        names = [name for name in sorted(hashes) if len(hashes[name]) == length]
        copies.update(_copies_of_one_length(names, np.stack([hashes[name] for name in names]), above))
    return copies


def _copies_of_one_length(names: list[str], bits: npt.NDArray[np.uint64], above: float) -> dict[str, tuple[str, float]]:
    copies: dict[str, tuple[str, float]] = {}
    waiting = np.arange(len(names))
    while len(waiting) > 1:
        first, later = waiting[0], waiting[1:]
        shares = _likeness_to_each(bits[first], bits[later])
        alike = shares > above
        for copy, share in zip(later[alike].tolist(), shares[alike].tolist(), strict=True):
            copies[names[copy]] = (names[first], share)
        waiting = later[~alike]
    return copies


def _likeness_to_each(one: Hash, others: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    differing = np.bitwise_count(one ^ others).sum(axis=1, dtype=np.int64)
    shares: npt.NDArray[np.float64] = 1 - differing / (64 * len(one))
    return shares


def _hash_frame(frame: Luma) -> Hash:
    small = Image.fromarray(frame).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    transformed = _COSINES @ np.asarray(small, dtype=np.float64) @ _COSINES.T
    low = transformed[:_FREQUENCIES, :_FREQUENCIES]
    # What is nothing but rounding is no frequency: a plain picture has one hash, whatever its grey level.
    above = (low > np.median(low)) & (np.abs(low) > 1e-6)
    bits: Hash = np.packbits(above).view(np.uint64)
    assert len(bits) == _FRAME_WORDS
    return bits
