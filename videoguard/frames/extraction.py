"""Contents of videos to shards of encoded frames; what cannot be decoded is quarantined with its reason.

A shard depends on the sampling rule and on the contents in it, not on where the files are, what the manifest calls them
or how many processes decode. Names come in with the index (`videoguard.frames.index`).
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from videoguard.digests import digest_media
from videoguard.errors import UserError
from videoguard.frames.pool import decoding_pool
from videoguard.frames.process import ReadVideo
from videoguard.frames.rule import MEMORY_MB, FrameRule
from videoguard.frames.workers import EncodedVideo, read_video
from videoguard.manifests.sample import MediaSource, files_of

FRAMES = "frames.parquet"
QUARANTINE = "quarantine.parquet"

FRAMES_SCHEMA = pa.schema(
    [
        ("media_digest", pa.string()),
        ("timestamps_s", pa.list_(pa.float64())),
        ("frames", pa.list_(pa.binary())),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
        ("source_fps", pa.float64()),
        ("duration_s", pa.float64()),
        ("source_frames", pa.int64()),
    ]
)
QUARANTINE_SCHEMA = pa.schema([("media_digest", pa.string()), ("reason", pa.string())])

# A row group is what one random access reads.
_GROUP_ROWS = 16
_GROUP_BYTES = 4 << 20

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


def assign_shards(digests: Iterable[str], shards: int) -> dict[int, list[str]]:
    """Distinct digests of each shard that has any, sorted; a digest's shard depends on nothing but itself and `shards`."""
    assigned: dict[int, list[str]] = {}
    for digest in sorted(set(digests)):
        assigned.setdefault(int(digest[:8], 16) % shards, []).append(digest)
    return dict(sorted(assigned.items()))


def extract_shard(
    media: Mapping[str, MediaSource],
    rule: FrameRule,
    folder: Path,
    *,
    workers: int,
    timeout_s: float,
    memory_mb: int = MEMORY_MB,
    on_progress: Callable[[int, int], None] | None = None,
    read: ReadVideo = read_video,
) -> ShardCounts:
    """Decode contents in worker processes and write `frames.parquet` and `quarantine.parquet`, sorted by digest.

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
        on_progress: called with the number of contents done and to do.
        read: decodes and encodes one video in a worker process; importable there.

    Raises:
        UserError: a file that cannot be decoded is no longer the one that the digest was taken of.
        OSError: a file that cannot be decoded cannot even be read any more.
    """
    digests = sorted(media)
    sources = [media[digest] for digest in digests]
    with (
        decoding_pool(workers) as pool,
        _one_shard,
        closing(pool.read(sources, rule, timeout_s=timeout_s, memory_mb=memory_mb, read=read)) as outcomes,
        closing(_ShardWriter(folder)) as shard,
    ):
        for done, (digest, outcome) in enumerate(zip(digests, outcomes, strict=True), start=1):
            if isinstance(outcome, str):
                _require_same(media[digest], digest)
                shard.quarantine(digest, outcome)
            else:
                shard.add(digest, outcome)
            if on_progress is not None:
                on_progress(done, len(digests))
    return shard.counts()


def _require_same(source: MediaSource, digest: str) -> None:
    """A failure is held against a content only where the file still is that content."""
    if digest_media(source) != digest:
        raise UserError(
            f"{files_of(source)[0]} has changed since the manifest was read; run again when its files are complete"
        )


@dataclass
class _ShardWriter:
    """Writes row groups as they fill; holds one in memory."""

    folder: Path
    _rows: dict[str, EncodedVideo] = field(default_factory=dict)
    _size: int = 0
    _decoded: int = 0
    _frames: int = 0
    _reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Images do not compress; their smallest and largest values are worth nothing, and dear.
        self._writer = pq.ParquetWriter(
            self.folder / FRAMES,
            FRAMES_SCHEMA,
            compression="none",
            use_dictionary=False,
            write_statistics=["media_digest"],
        )

    def add(self, digest: str, video: EncodedVideo) -> None:
        self._rows[digest] = video
        self._size += sum(map(len, video.frames))
        self._decoded += 1
        self._frames += len(video.frames)
        if len(self._rows) == _GROUP_ROWS or self._size >= _GROUP_BYTES:
            self._write_group()

    def quarantine(self, digest: str, reason: str) -> None:
        self._reasons[digest] = reason

    def close(self) -> None:
        if self._rows:
            self._write_group()
        self._writer.close()
        reasons = pa.table([list(self._reasons), list(self._reasons.values())], schema=QUARANTINE_SCHEMA)
        pq.write_table(reasons, self.folder / QUARANTINE)

    def counts(self) -> ShardCounts:
        return ShardCounts(decoded=self._decoded, quarantined=len(self._reasons), frames=self._frames)

    def _write_group(self) -> None:
        videos = list(self._rows.values())
        columns = [list(self._rows), *(_column(videos, name) for name in FRAMES_SCHEMA.names[1:])]
        self._writer.write_table(pa.table(columns, schema=FRAMES_SCHEMA))
        self._rows, self._size = {}, 0


def _column(videos: Sequence[EncodedVideo], name: str) -> list[object]:
    return [getattr(video, name) for video in videos]
