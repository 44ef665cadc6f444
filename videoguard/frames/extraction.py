"""Contents of videos to shards of encoded frames; what cannot be decoded is quarantined with its reason.

A shard depends on the sampling rule and on the contents in it, not on where the files are, what the manifest calls them
or how many processes decode. Names come in with the index (`videoguard.frames.index`).
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from videoguard.digests import digest_media
from videoguard.errors import UserError
from videoguard.frames.earlier import EarlierFrames, EarlierFramesError
from videoguard.frames.pool import decoding_pool
from videoguard.frames.process import ReadVideo, Refusal
from videoguard.frames.rule import MEMORY_MB, FrameRule
from videoguard.frames.shard import ShardWriter
from videoguard.frames.workers import read_video
from videoguard.manifests.sample import MediaSource, files_of

_log = logging.getLogger(__name__)

# Every shard has all processes: a killed run repeats one shard at most, and the memory is that of one.
_one_shard = threading.Lock()


@dataclass(frozen=True)
class ShardCounts:
    """What became of the contents of a shard."""

    decoded: int
    """Contents that have frames."""
    quarantined: int
    """Contents that have none."""
    frames: int
    """Frames stored."""
    taken: int = 0
    """Contents that were not read: their frames, or the reasons why they have none, were taken from earlier shards."""


def assign_shards(digests: Iterable[str], shards: int) -> dict[int, list[str]]:
    """Distinct digests of each shard that has any, sorted; a digest's shard depends on nothing but itself and `shards`."""
    assigned: dict[int, list[str]] = {}
    for digest in sorted(set(digests)):
        assigned.setdefault(shard_number(digest, shards), []).append(digest)
    return dict(sorted(assigned.items()))


def shard_number(digest: str, shards: int) -> int:
    """Which of so many shards a digest falls into."""
    return int(digest[:8], 16) % shards


def extract_shard(
    media: Mapping[str, MediaSource],
    rule: FrameRule,
    folder: Path,
    *,
    workers: int,
    timeout_s: float,
    memory_mb: int = MEMORY_MB,
    earlier: EarlierFrames | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    read: ReadVideo = read_video,
) -> ShardCounts:
    """Decode contents in worker processes and write `frames.parquet` and `quarantine.parquet`, sorted by digest.

    What `earlier` holds is taken from there and not decoded; the files are the same, byte for byte.

    A crash of a decoding process or a video that takes longer than `timeout_s`, twice, quarantines that video alone, as does
    one that takes more memory than `memory_mb`.
    Threads that extract at the same time share the processes and take turns.

    Args:
        media: a video or list of images of each content, by its digest (`videoguard.digests.digest_media`).
        rule: which frames are taken, and how they are stored.
        folder: existing folder.
        workers: decoding processes.
        timeout_s: longest time for one video, seconds.
        memory_mb: most memory that decoding one video may take, MiB.
        earlier: what earlier shards of the same code, rule and limits hold of these contents.
        on_progress: called with the number of contents done and to do.
        read: decodes and encodes one video in a worker process; importable there.

    Raises:
        UserError: a file that cannot be decoded is no longer the one that the digest was taken of.
        OSError: a file that cannot be decoded cannot even be read any more.
    """
    digests = sorted(media)

    def write(held: EarlierFrames) -> ShardCounts:
        anew = [digest for digest in digests if digest not in held]
        sources = [media[digest] for digest in anew]
        with (
            decoding_pool(workers) as pool,
            _one_shard,
            closing(pool.read(sources, rule, timeout_s=timeout_s, memory_mb=memory_mb, read=read)) as outcomes,
            closing(ShardWriter(folder)) as shard,
        ):
            for done, digest in enumerate(digests, start=1):
                outcome = held.take(digest) if digest in held else next(outcomes)
                if isinstance(outcome, Refusal) and digest not in held:
                    _require_same(media[digest], digest)
                shard.add(digest, outcome)
                if on_progress is not None:
                    on_progress(done, len(digests))
        taken = len(digests) - len(anew)
        return ShardCounts(decoded=shard.decoded, quarantined=len(shard.refusals), frames=shard.frames, taken=taken)

    try:
        return write(earlier if earlier is not None else EarlierFrames(()))
    except EarlierFramesError as lost:
        _log.warning("an earlier shard cannot be read any more (%s): all of this one is decoded", lost)
        return write(EarlierFrames(()))


def _require_same(source: MediaSource, digest: str) -> None:
    """A failure is held against a content only where the file still is that content."""
    if digest_media(source) != digest:
        raise UserError(
            f"{files_of(source)[0]} has changed since the manifest was read; run again when its files are complete"
        )
