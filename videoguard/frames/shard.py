"""A stored shard: rows of encoded frames in groups, sorted by digest, and beside them what was refused and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from videoguard.frames.process import Refusal
from videoguard.frames.workers import EncodedVideo

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
QUARANTINE_SCHEMA = pa.schema([("media_digest", pa.string()), ("reason", pa.string()), ("lasting", pa.bool_())])

# A row group is what one random access reads.
_GROUP_ROWS = 16
_GROUP_BYTES = 4 << 20


@dataclass
class ShardWriter:
    """Writes row groups as they fill; holds one in memory. The contents come in the order of their digests."""

    folder: Path
    decoded: int = 0
    """Contents that have frames, so far."""
    frames: int = 0
    refusals: dict[str, Refusal] = field(default_factory=dict)
    """Of the contents that have none, by digest."""
    _rows: dict[str, EncodedVideo] = field(default_factory=dict)
    _size: int = 0

    def __post_init__(self) -> None:
        # Images do not compress; their smallest and largest values are worth nothing, and dear.
        self._writer = pq.ParquetWriter(
            self.folder / FRAMES,
            FRAMES_SCHEMA,
            compression="none",
            use_dictionary=False,
            write_statistics=["media_digest"],
        )

    def add(self, digest: str, outcome: EncodedVideo | Refusal) -> None:
        """Write what became of a content."""
        if isinstance(outcome, Refusal):
            self.refusals[digest] = outcome
            return
        self._rows[digest] = outcome
        self._size += sum(map(len, outcome.frames))
        self.decoded += 1
        self.frames += len(outcome.frames)
        if len(self._rows) == _GROUP_ROWS or self._size >= _GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        """Write what is left, and the refusals."""
        if self._rows:
            self._write_group()
        self._writer.close()
        refusals = list(self.refusals.values())
        columns = [
            list(self.refusals),
            [refusal.reason for refusal in refusals],
            [refusal.lasting for refusal in refusals],
        ]
        pq.write_table(pa.table(columns, schema=QUARANTINE_SCHEMA), self.folder / QUARANTINE)

    def _write_group(self) -> None:
        videos = list(self._rows.values())
        columns = [list(self._rows), *(_column(videos, name) for name in FRAMES_SCHEMA.names[1:])]
        self._writer.write_table(pa.table(columns, schema=FRAMES_SCHEMA))
        self._rows, self._size = {}, 0


def _column(videos: Sequence[EncodedVideo], name: str) -> list[object]:
    return [getattr(video, name) for video in videos]
