"""One change of a clip: drawn from a seed, then applied to its stored frames."""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as pictures

from videoguard.config import AugmentationSection

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Change:
    """What is done to every frame of a clip alike."""

    flip: bool = False
    angle: float = 0.0
    """Degrees, counter to the clock."""
    blur: float = 0.0
    """Standard deviation, pixels."""
    brightness: float = 1.0
    """Factor, as all that follow where no unit is told."""
    contrast: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    """Share of the width, to the right, and of the height, down."""
    shear: float = 0.0
    """Degrees."""
    scale: float = 1.0
    noise: float = 0.0
    """Standard deviation, grey levels of 255."""
    noise_seed: int = 0
    tempo: float = 1.0
    """Above 1 the frames are further apart in time: the motion is faster."""


def draw_change(settings: AugmentationSection, seed: int, copy: int, sample: str) -> Change:
    """The change of one copy of one sample: the same for the same seed, copy and sample, whatever else is trained on.

    All values are drawn whether they are used or not, so that one that is switched on leaves the others as they were.
    """
    digest = hashlib.sha256(f"{seed}\0{copy}\0{sample}".encode("utf-8", "backslashreplace")).digest()
    chance = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    either = [float(value) for value in chance.uniform(-1.0, 1.0, 8)]
    flip, blur, noise = (float(value) for value in chance.uniform(0.0, 1.0, 3))
    return Change(
        flip=flip < settings.flip,
        angle=settings.rotate * either[0],
        blur=settings.blur * blur,
        brightness=1.0 + settings.brighten * either[1],
        contrast=1.0 + settings.contrast * either[2],
        shift=(settings.shift * either[3], settings.shift * either[4]),
        shear=settings.shear * either[5],
        scale=1.0 + settings.scale * either[6],
        noise=settings.noise * noise,
        noise_seed=int.from_bytes(digest[16:20], "big"),
        tempo=1.0 + settings.tempo * either[7],
    )


def apply_change(frames: Frames, change: Change) -> Frames:
    """The changed frames, as many and as large: `(frames, height, width, 3) uint8 RGB`.

    What comes into the picture from beyond its borders has the mean colour of the clip. A faster clip stands still at its
    ends, a slower one shows its middle; frames are repeated, never invented.
    """
    clip = torch.from_numpy(np.ascontiguousarray(frames[_positions(len(frames), change.tempo)])).permute(0, 3, 1, 2)
    if change.flip:
        clip = pictures.horizontal_flip(clip)
    clip = _move(clip, change)
    if change.brightness != 1.0:
        clip = pictures.adjust_brightness(clip, change.brightness)
    if change.contrast != 1.0:
        clip = pictures.adjust_contrast(clip, change.contrast)
    if change.blur > 0.0:
        clip = _blur(clip, change.blur)
    if change.noise > 0.0:
        # The training's own random numbers go on as if nothing had been drawn here.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(change.noise_seed)
            clip = pictures.gaussian_noise(clip, sigma=change.noise / 255)
    changed: Frames = clip.permute(0, 2, 3, 1).contiguous().numpy()
    return changed


def _positions(frames: int, tempo: float) -> npt.NDArray[np.int64]:
    """Which frame is shown at each place, when the clip runs faster or slower about its middle."""
    middle = (frames - 1) / 2
    positions = np.rint(middle + (np.arange(frames) - middle) * tempo).astype(np.int64)
    shown: npt.NDArray[np.int64] = np.clip(positions, 0, frames - 1)
    return shown


def _move(clip: torch.Tensor, change: Change) -> torch.Tensor:
    if (change.angle, change.shift, change.scale, change.shear) == (0.0, (0.0, 0.0), 1.0, 0.0):
        return clip
    height, width = clip.shape[-2:]
    moved: torch.Tensor = pictures.affine(
        clip,
        angle=-change.angle,
        translate=[change.shift[0] * width, change.shift[1] * height],
        scale=change.scale,
        shear=[change.shear, 0.0],
        interpolation=InterpolationMode.BILINEAR,
        fill=clip.float().mean(dim=(0, 2, 3)).tolist(),
    )
    return moved


def _blur(clip: torch.Tensor, deviation: float) -> torch.Tensor:
    # The kernel reaches three standard deviations, and no further than a mirrored border can be.
    reach = min(math.ceil(3 * deviation), min(clip.shape[-2:]) - 1)
    blurred: torch.Tensor = pictures.gaussian_blur(clip, kernel_size=[2 * reach + 1] * 2, sigma=[deviation] * 2)
    return blurred
