"""What a conversation shows, given beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from videoguard.dataset.messages import Message, Part

Pictures = npt.NDArray[np.uint8]
"""`(frames, height, width, 3)` RGB."""


@dataclass(frozen=True, eq=False)
class TimedFrames:
    """Sampled frames, and when they are shown: some models read the time of each frame."""

    pictures: Pictures
    times: npt.NDArray[np.float64]
    """Seconds from the first frame of the video: `(frames,)`."""


Shown = Pictures | TimedFrames
"""Frames without times count as shown one a second."""


def as_clips(media: Shown | Sequence[Shown] | None, shown: int = 1) -> list[TimedFrames]:
    """One clip for each video or image of a conversation.

    Args:
        media: for each of them, or one clip in all.
        shown: number of images, or 1 where a video is shown. Of several images, each is a frame of the one clip.
    """
    if media is None:
        return []
    given = [media] if isinstance(media, (np.ndarray, TimedFrames)) else media
    clips = [clip if isinstance(clip, TimedFrames) else _one_a_second(clip) for clip in given]
    return _single_frames(clips[0]) if shown > 1 and len(clips) == 1 else clips


def as_tensor(clip: TimedFrames) -> torch.Tensor:
    """The frames as processors take them: `(frames, 3, height, width)` uint8."""
    return torch.from_numpy(np.ascontiguousarray(clip.pictures)).permute(0, 3, 1, 2)


def metadata_of(clip: TimedFrames) -> dict[str, object]:
    """The times as processors take them: as numbers of frames, here of a video with one a millisecond."""
    numbers = [round(float(time) * 1000) for time in clip.times]
    # The clip ends as long after its last frame as a frame is shown on average.
    spacing = (numbers[-1] - numbers[0]) / (len(numbers) - 1) if len(numbers) > 1 else 1000.0
    end = numbers[-1] + max(1, round(spacing))
    return {"fps": 1000.0, "frames_indices": numbers, "total_num_frames": end, "duration": end / 1000}


def as_images(messages: Sequence[Message], clips: Sequence[TimedFrames]) -> tuple[list[Message], list[TimedFrames]]:
    """A conversation that shows each frame of its videos as an image, in order; and these images."""
    left = iter(clips)
    shown: list[Message] = []
    images: list[TimedFrames] = []
    for message in messages:
        content: list[Part] = []
        for part in message["content"]:
            if part["type"] == "text":
                content.append(part)
                continue
            clip = next(left)
            content += [{"type": "image"} for _ in clip.times]
            images += _single_frames(clip)
        shown.append({"role": message["role"], "content": content})
    return shown, images


def _single_frames(clip: TimedFrames) -> list[TimedFrames]:
    return [
        TimedFrames(clip.pictures[number : number + 1], clip.times[number : number + 1]) for number in range(len(clip.times))
    ]


def _one_a_second(pictures: Pictures) -> TimedFrames:
    return TimedFrames(pictures, np.arange(len(pictures), dtype=np.float64))
