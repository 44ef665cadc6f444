"""Clips to pre-train on, rendered in worker processes. Imports no model code, so that the workers start quickly."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from videoguard.exercises.catalogue import CLASSES
from videoguard.exercises.rendering import frame_count, render_frames
from videoguard.subprocesses import end_with_parent

_SIZE, _SECONDS, _FPS = 96, 2.0, 12
_FRAMES = 8


@dataclass(frozen=True)
class Clip:
    """A clip of one class."""

    exercise: str
    form: str
    frames: np.ndarray | None
    """Sampled: `(frames, height, width, 3)` uint8 RGB. None for a model that reads text only."""


def render_clips(videos_per_form: int, seed: int, workers: int) -> list[Clip]:
    """Clips of every class, with seeds that no data set uses; the middles of equal spans, as uniform sampling takes them."""
    jobs = [
        (exercise, form, f"pretraining-{seed}-{index}") for exercise, form in CLASSES for index in range(videos_per_form)
    ]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        return list(pool.map(_render, jobs, chunksize=16))


def _render(job: tuple[str, str, str]) -> Clip:
    exercise, form, seed_key = job
    source_frames = frame_count(_SECONDS, _FPS)
    middles = [int((index + 0.5) * source_frames / _FRAMES) for index in range(_FRAMES)]
    frames = render_frames(exercise, form, seed_key, middles, size=_SIZE, seconds=_SECONDS, fps=_FPS)
    return Clip(exercise, form, frames)
