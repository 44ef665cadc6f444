"""What the samples of a night look like: measured from their stored frames, each video once."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from videoguard.digests import digest_json, digest_source
from videoguard.frames.store import FrameStore
from videoguard.quality.scores import decode_luma, score_frames

Measures = dict[str, float]


def measured_by(rule: Mapping[str, object]) -> str:
    """What measures depend on besides the video: the code, and how frames are stored."""
    return digest_json([digest_source(["quality/scores.py"]), dict(rule)])


def measure(
    frames: FrameStore, durations: Mapping[str, float], videos: Iterable[str], known: Mapping[str, Measures]
) -> dict[str, Measures]:
    """Measures of videos, by digest of their content.

    Args:
        frames: the stored frames.
        durations: seconds of each content, by its digest.
        videos: names of the videos.
        known: measures of an earlier night by digest, which are not taken again.
    """
    found: dict[str, Measures] = {}
    for video in videos:
        digest = frames.digest_of(video)
        if digest in found:
            continue
        if digest in known:
            found[digest] = known[digest]
            continue
        scores = score_frames(decode_luma(frames.encoded(video)))
        width, height = frames.source_size(video)
        found[digest] = {
            "brightness": scores.brightness,
            "sharpness": scores.sharpness,
            "duration_s": durations.get(digest, 0.0),
            "width": float(width),
            "height": float(height),
        }
    return found


def read_durations(shard_folders: Iterable[Path]) -> dict[str, float]:
    """Seconds of each decoded content, by its digest."""
    import pyarrow.parquet as pq

    from videoguard.frames.shard import FRAMES

    durations: dict[str, float] = {}
    for folder in shard_folders:
        table = pq.ParquetFile(folder / FRAMES).read(columns=["media_digest", "duration_s"], use_threads=False).to_pydict()
        pairs = zip(table["media_digest"], table["duration_s"], strict=True)
        durations.update({digest: seconds for digest, seconds in pairs if seconds is not None})
    return durations
