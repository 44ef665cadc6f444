"""The videos of a frame store, scored."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from videoguard.frames.store import FrameStore
from videoguard.quality.hashing import Hash, perceptual_hash
from videoguard.quality.judging import MeasuredVideo, label_of
from videoguard.quality.scores import FrameScores, decode_luma, score_frames

_AHEAD = 4


def measure_videos(
    frames: FrameStore,
    labels: Mapping[str, Sequence[str | None]],
    *,
    threads: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[MeasuredVideo]:
    """Scores and hash of every video that has frames, in the order of their names.

    Args:
        frames: the stored frames; nothing else of a video is read.
        labels: the class that each sample of a video names, by video.
        threads: that score; decoding and arithmetic leave the interpreter to the others.
        on_progress: called with the number of videos done and to do.
    """
    videos = frames.videos()
    measured: list[MeasuredVideo] = []
    with ThreadPoolExecutor(threads) as pool:
        # A few at a time: the frames of all would not fit in memory.
        for start in range(0, len(videos), threads * _AHEAD):
            names = videos[start : start + threads * _AHEAD]
            scored = pool.map(_score, [frames.encoded(video) for video in names])
            for video, (scores, bits) in zip(names, scored, strict=True):
                width, height = frames.source_size(video)
                named = labels.get(video, ())
                measured.append(MeasuredVideo(video, label_of(named), len(named), width, height, scores, bits))
            if on_progress is not None:
                on_progress(len(measured), len(videos))
    return measured


def _score(images: list[bytes]) -> tuple[FrameScores, Hash]:
    luma = decode_luma(images)
    return score_frames(luma), perceptual_hash(luma)
