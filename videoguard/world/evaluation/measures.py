"""What is measured of a clip, on the frames as a viewer gets them: decoded from the file."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from videoguard.world.generation.request import CLIP, CONDITION, RECORD, ClipFacts
from videoguard.world.media import read_clip

Frames = npt.NDArray[np.uint8]
MOST_DECIBELS = 100.0
"""PSNR of equal pictures, which has no finite value."""


class ClipMeasures(BaseModel):
    """Of one clip."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    condition_psnr: float
    """Of the condition frames in the clip against those given, decibels; 100 where they are equal."""
    condition_ssim: float
    """The same as structural similarity, at most 1."""
    temporal_ssim: float
    """Mean structural similarity of each frame to the next, after the condition: 1 is a still, 0 is noise."""
    temporal_change: float
    """Mean absolute change from each frame to the next, after the condition, grey levels of 255."""
    base_difference: float | None = None
    """Mean absolute difference to the clip of the base by the same seed, after the condition, grey levels of 255."""
    base_psnr: float | None = None
    """The same, decibels."""


def measure(folder: Path, base: Path | None = None) -> ClipMeasures:
    """Measure the clip of an artifact's folder, against that of the base where there is one."""
    facts = ClipFacts.model_validate_json((folder / RECORD).read_bytes())
    frames, condition = read_clip(folder / CLIP), read_pictures(folder, facts.condition_frames)
    kept = frames[: len(condition)]
    new = frames[len(condition) - 1 :]
    pairs = list(pairwise(new))
    difference = base_psnr = None
    if base is not None:
        ours, theirs = frames[len(condition) :], read_clip(base / CLIP)[len(condition) :]
        difference, base_psnr = mean_difference(ours, theirs), psnr(ours, theirs)
    return ClipMeasures(
        condition_psnr=psnr(kept, condition),
        condition_ssim=_mean([ssim(ours, given) for ours, given in zip(kept, condition, strict=True)]),
        temporal_ssim=_mean([ssim(before, after) for before, after in pairs]),
        temporal_change=_mean([mean_difference(before, after) for before, after in pairs]),
        base_difference=difference,
        base_psnr=base_psnr,
    )


def read_pictures(folder: Path, count: int) -> Frames:
    """The condition frames of a clip, as they were given to the pipeline."""
    from PIL import Image

    return np.stack([np.asarray(Image.open(folder / CONDITION.format(number)).convert("RGB")) for number in range(count)])


def psnr(ours: Frames, theirs: Frames) -> float:
    """Peak signal-to-noise ratio of 8-bit pictures, `10 · log10(255² / mean squared error)`, decibels."""
    error = float(((ours.astype(np.float64) - theirs) ** 2).mean())
    return MOST_DECIBELS if error == 0 else min(MOST_DECIBELS, float(10 * np.log10(255**2 / error)))


def ssim(ours: Frames, theirs: Frames) -> float:
    """Structural similarity with the Gaussian window of Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861."""
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            ours, theirs, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def mean_difference(ours: Frames, theirs: Frames) -> float:
    """Mean absolute difference, grey levels of 255."""
    return float(np.abs(ours.astype(np.int16) - theirs).mean())


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
