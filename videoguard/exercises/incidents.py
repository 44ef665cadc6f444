"""Videos to try the streaming guard on: a figure exercises, and now and then a sign comes into the picture.

The signs are harmless shapes that stand for categories of unsafe content. A video is cut into clips where a sign comes or
goes; it is written whole and clip by clip, with a manifest in the form `guard_clips`.
"""

import json
import multiprocessing
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from videoguard.errors import UserError
from videoguard.exercises.catalogue import CLASSES
from videoguard.exercises.folders import MadeSet
from videoguard.subprocesses import end_with_parent

MANIFEST = "guard_clips.jsonl"
GENERATOR = "videoguard.incidents/1"
"""Name and version; the number rises when the same parameters give other videos or labels."""
SIGNS = {"C3": "red square", "C5": "green disc", "C6": "blue triangle"}
"""What stands for each category that is shown."""
KINDS: tuple[tuple[str, ...], ...] = ((), ("C3",), ("C5",), ("C6",), ("C3", "C6"))
"""Categories that a clip may show together."""

_COLOURS = {"C3": (255, 40, 40), "C5": (40, 230, 60), "C6": (70, 90, 255)}
_CLIPS = (2, 3)
_CLIP_SECONDS = (3, 6)
_BATCH = 4


@dataclass(frozen=True)
class _Parameters:
    videos: int
    size: int
    fps: int
    seed: int


@dataclass(frozen=True)
class _Clip:
    labels: tuple[str, ...]
    seconds: int


def generate_incident_videos(
    folder: Path,
    *,
    videos: int,
    size: int,
    fps: int,
    seed: int,
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make `folder/videos/*.mp4`, `folder/clips/*.mp4` and `folder/guard_clips.jsonl`; return the manifest.

    Equal parameters give equal files. Where the folder already holds the whole set nothing is done; a generated set of other
    parameters is replaced.

    Args:
        folder: the set's own folder.
        videos: number of videos; each has two or three clips of three to six seconds.
        size: width and height, pixels; even.
        fps: frames per second.
        seed: of the videos' variation.
        workers: processes that draw.
        on_progress: called with the number of videos made and to make.

    Raises:
        UserError: the size is odd, or the folder holds files that are not of a generated set.
    """
    if size % 2:
        raise UserError(f"data.synthetic_guard.size is {size}: it must be even, as H.264 video in 4:2:0 is")
    parameters = _Parameters(videos, size, fps, seed)
    rows = [_manifest_row(number, _draw_clips(number, seed)) for number in range(videos)]
    made = MadeSet(
        generator=GENERATOR,
        parameters=asdict(parameters),
        manifest=MANIFEST,
        files=[name for row in rows for name in _files(row)],
        listed_in=lambda manifest: [name for line in manifest.splitlines() for name in _files(json.loads(line))],
    )

    def fill(draft: Path) -> None:
        for name in ("videos", "clips"):
            (draft / name).mkdir()
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as pool:
            done = pool.map(partial(_make_video, draft, parameters), range(videos), chunksize=_BATCH)
            for count, _ in enumerate(done, start=1):
                if on_progress is not None:
                    on_progress(count, videos)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (draft / MANIFEST).write_text(lines, encoding="utf-8")

    return made.make_once(folder, fill)


def _draw_clips(number: int, seed: int) -> list[_Clip]:
    """The clips of a video: neighbours show something else."""
    chance = random.Random(f"incidents|{number}|{seed}")
    clips: list[_Clip] = []
    for _ in range(chance.randint(*_CLIPS)):
        others = [kind for kind in KINDS if not clips or kind != clips[-1].labels]
        # As much is safe as is not.
        weights = [len(KINDS) - 1 if not kind else 1 for kind in others]
        clips.append(_Clip(chance.choices(others, weights)[0], chance.randint(*_CLIP_SECONDS)))
    return clips


def _make_video(folder: Path, parameters: _Parameters, number: int) -> None:
    from videoguard.exercises.rendering import render_frames
    from videoguard.exercises.video import write_video

    clips = _draw_clips(number, parameters.seed)
    chance = random.Random(f"signs|{number}|{parameters.seed}")
    seconds = float(sum(clip.seconds for clip in clips))
    exercise, form = chance.choice(CLASSES)
    frames = render_frames(
        exercise,
        form,
        f"incidents|{number}|{parameters.seed}",
        range(round(seconds * parameters.fps)),
        size=parameters.size,
        seconds=seconds,
        fps=parameters.fps,
    ).copy()
    start = 0
    for place, clip in enumerate(clips):
        end = start + clip.seconds * parameters.fps
        for label in clip.labels:
            _show_sign(frames[start:end], label, chance)
        write_video(folder / _clip_name(number, place), frames[start:end], parameters.fps)
        start = end
    write_video(folder / _video_name(number), frames, parameters.fps)


def _show_sign(frames: npt.NDArray[np.uint8], label: str, chance: random.Random) -> None:
    """Draw the sign of a category into frames; it drifts from one place to another."""
    height = frames.shape[1]
    side = chance.uniform(0.3, 0.4) * height
    begin, end = ([chance.uniform(0, height - side) for _ in range(2)] for _ in range(2))
    for number, frame in enumerate(frames):
        share = number / max(1, len(frames) - 1)
        left, top = (first + share * (last - first) for first, last in zip(begin, end, strict=True))
        image = Image.fromarray(frame)
        _draw_sign(ImageDraw.Draw(image), label, left, top, side)
        frames[number] = np.asarray(image)


def draw_sign(frame: npt.NDArray[np.uint8], label: str, chance: random.Random) -> None:
    """Draw the sign of a category somewhere into one frame."""
    _show_sign(frame[None], label, chance)


def _draw_sign(draw: ImageDraw.ImageDraw, label: str, left: float, top: float, side: float) -> None:
    box, colour = (left, top, left + side, top + side), _COLOURS[label]
    if label == "C3":
        draw.rectangle(box, fill=colour)
    elif label == "C5":
        draw.ellipse(box, fill=colour)
    else:
        draw.polygon([(left, top + side), (left + side / 2, top), (left + side, top + side)], fill=colour)


def _manifest_row(number: int, clips: Sequence[_Clip]) -> dict[str, object]:
    labels = sorted({label for clip in clips for label in clip.labels})
    annotations = []
    start = 0
    for place, clip in enumerate(clips):
        annotations.append(
            {
                "clip_name": Path(_clip_name(number, place)).name,
                "time_range": f"{_clock(start)}_{_clock(start + clip.seconds)}",
                "labels": list(clip.labels),
                "description": describe_signs(clip.labels),
            }
        )
        start += clip.seconds
    return {
        "full_video_path": _video_name(number),
        "clip_video_paths": [_clip_name(number, place) for place in range(len(clips))],
        "clip_video_labels": [list(clip.labels) for clip in clips],
        "full_video_annotation": {"labels": labels, "description": describe_signs(labels)},
        "clip_video_annotations": annotations,
    }


def describe_signs(labels: Sequence[str]) -> str:
    """What is seen in a frame that shows these categories; it names none of them."""
    signs = " and ".join(f"a {SIGNS[label]}" for label in labels)
    return f"a figure and {signs}" if signs else "a figure alone"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"


def _files(row: dict[str, object]) -> list[str]:
    clips = row["clip_video_paths"]
    assert isinstance(clips, list)
    return [str(row["full_video_path"]), *map(str, clips)]


def _video_name(number: int) -> str:
    return f"videos/incident_{number:03d}.mp4"


def _clip_name(number: int, place: int) -> str:
    return f"clips/incident_{number:03d}_{place + 1}.mp4"
