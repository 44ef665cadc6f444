"""A folder of exercise videos and its manifest, made once and kept."""

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from videoguard.errors import UserError
from videoguard.exercises.catalogue import CLASSES, AnswerKind, answer_text, question_text
from videoguard.exercises.folders import MadeSet
from videoguard.subprocesses import end_with_parent

MANIFEST = "manifest.json"
GENERATOR = "videoguard.exercises/1"
"""Name and version; the number rises when the same parameters give other videos or answers."""

_VIDEOS = "videos"
_BATCH = 8

Clip: TypeAlias = tuple[str, str, int]
"""Exercise, form and number of a video among those of its class."""


@dataclass(frozen=True)
class _Parameters:
    videos_per_form: int
    answers: AnswerKind
    size: int
    seconds: float
    fps: int
    seed: int


def generate_exercise_videos(
    folder: Path,
    *,
    videos_per_form: int,
    answers: AnswerKind,
    size: int,
    seconds: float,
    fps: int,
    seed: int,
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make `folder/videos/*.mp4` and `folder/manifest.json` (conversations form); return the manifest.

    Equal parameters give equal files, whatever the number of workers. Where the folder already holds the whole set of
    these parameters nothing is done; where it holds a generated set of others it is replaced. The folder appears whole
    or not at all, however the process ends.

    Args:
        folder: the set's own folder.
        videos_per_form: videos of each of the 24 pairs of exercise and form.
        answers: `text` (`exercise - feedback`) or `json`.
        size: width and height, pixels; even.
        seconds: length of a video.
        fps: frames per second.
        seed: of the videos' variation.
        workers: processes that draw.
        on_progress: called with the number of videos made and to make.

    Raises:
        UserError: the size is odd, or the folder holds files that are not of a generated set.
    """
    if size % 2:
        raise UserError(f"data.synthetic.size is {size}: it must be even, as H.264 video in 4:2:0 is")
    parameters = _Parameters(videos_per_form, answers, size, float(seconds), fps, seed)
    made = MadeSet(
        generator=GENERATOR,
        parameters=asdict(parameters),
        manifest=MANIFEST,
        files=[_video_name(clip) for clip in _clips(parameters)],
        listed_in=lambda manifest: [row["video"] for row in json.loads(manifest)],
    )
    return made.make_once(folder, lambda draft: _fill(draft, parameters, workers, on_progress))


def _fill(draft: Path, parameters: _Parameters, workers: int, on_progress: Callable[[int, int], None] | None) -> None:
    clips = list(_clips(parameters))
    (draft / _VIDEOS).mkdir()
    # A spawned process inherits neither threads nor locks of the caller, which may be a server or hold a model.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as pool:
        made = pool.map(partial(_make_video, draft, parameters), clips, chunksize=_BATCH)
        for count, _ in enumerate(made, start=1):
            if on_progress is not None:
                on_progress(count, len(clips))

    rows = [_manifest_row(clip, parameters.answers) for clip in clips]
    (draft / MANIFEST).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _clips(parameters: _Parameters) -> Iterator[Clip]:
    for exercise, form in CLASSES:
        for index in range(parameters.videos_per_form):
            yield exercise, form, index


def _make_video(folder: Path, parameters: _Parameters, clip: Clip) -> None:
    from videoguard.exercises.rendering import frame_count, render_frames
    from videoguard.exercises.video import write_video

    exercise, form, index = clip
    frames = render_frames(
        exercise,
        form,
        f"{index}|{parameters.seed}",
        range(frame_count(parameters.seconds, parameters.fps)),
        size=parameters.size,
        seconds=parameters.seconds,
        fps=parameters.fps,
    )
    write_video(folder / _video_name(clip), frames, parameters.fps)


def _manifest_row(clip: Clip, answers: AnswerKind) -> dict[str, object]:
    exercise, form, _ = clip
    return {
        "video": _video_name(clip),
        "conversations": [
            {"from": "human", "value": question_text(answers)},
            {"from": "gpt", "value": answer_text(exercise, form, answers)},
        ],
    }


def _video_name(clip: Clip) -> str:
    exercise, form, index = clip
    return f"{_VIDEOS}/{exercise}_{form}_{index:03d}.mp4".replace(" ", "-")
