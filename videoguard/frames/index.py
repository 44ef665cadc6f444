"""The index of a manifest's frames: which video has which content, in which shard, and which videos are left out.

It holds no frames: a renamed video makes a new index and leaves the shards as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from videoguard.errors import UserError
from videoguard.frames import shard as stored

VIDEOS = "videos.parquet"
QUARANTINE = "quarantine.parquet"

VIDEOS_SCHEMA = pa.schema([("video", pa.string()), ("media_digest", pa.string()), ("shard", pa.int32())])
QUARANTINE_SCHEMA = pa.schema([("video", pa.string()), ("reason", pa.string()), ("media_digest", pa.string())])

_MISSING = "the file is missing"
_REASONS_TOLD = 5


@dataclass(frozen=True)
class Quarantined:
    """A video that has no frames, and why."""

    video: str
    reason: str
    media_digest: str | None
    """None where the file is missing."""


@dataclass(frozen=True)
class IndexCounts:
    """What became of the videos of a manifest."""

    decoded: int
    """Names that have frames."""
    quarantine: tuple[Quarantined, ...]
    """Names that have none, sorted."""

    @property
    def quarantined(self) -> int:
        """How many names have no frames."""
        return len(self.quarantine)


def index_frames(media_digests: Mapping[str, str | None], shard_folders: Sequence[Path], folder: Path) -> IndexCounts:
    """Join shards for one manifest: write `videos.parquet` and `quarantine.parquet`, sorted by name.

    Args:
        media_digests: SHA-256 of each video's file by the video's name; None where the file is missing.
        shard_folders: what `extract_shard` wrote; `shard` in the index is the position in this order.
        folder: existing folder.

    Raises:
        ValueError: the content of a video is in none of the shards.
    """
    shard_of, reasons = _read_shards(shard_folders)
    videos: list[tuple[str, str, int]] = []
    quarantine: list[Quarantined] = []
    for video, digest in sorted(media_digests.items()):
        if digest is None:
            quarantine.append(Quarantined(video, _MISSING, None))
        elif digest in reasons:
            quarantine.append(Quarantined(video, reasons[digest], digest))
        elif digest in shard_of:
            videos.append((video, digest, shard_of[digest]))
        else:
            raise ValueError(f"{video} has the content {digest}, which is in none of the {len(shard_folders)} shards")
    _write(videos, VIDEOS_SCHEMA, folder / VIDEOS)
    _write([astuple(entry) for entry in quarantine], QUARANTINE_SCHEMA, folder / QUARANTINE)
    return IndexCounts(decoded=len(videos), quarantine=tuple(quarantine))


def require_decoded(counts: IndexCounts, manifest: Path) -> None:
    """Raise `UserError` where no video of the manifest has frames; its message tells the first reasons."""
    if counts.decoded:
        return
    listed = [f"  - {entry.video}: {entry.reason}" for entry in counts.quarantine[:_REASONS_TOLD]]
    more = counts.quarantined - len(listed)
    raise UserError(
        f"{manifest}: none of its {counts.quarantined} videos can be decoded; check data.media_root and the files\n"
        + "\n".join(listed)
        + (f"\n  - and {more} more" if more else "")
    )


def _read_shards(folders: Sequence[Path]) -> tuple[dict[str, int], dict[str, str]]:
    """Shard of each decoded content, and reason of each quarantined one."""
    shard_of: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for shard, folder in enumerate(folders):
        decoded = pq.read_table(folder / stored.FRAMES, columns=["media_digest"], use_threads=False)
        shard_of.update(dict.fromkeys(decoded["media_digest"].to_pylist(), shard))
        failed = pq.read_table(folder / stored.QUARANTINE, use_threads=False)
        reasons.update(zip(failed["media_digest"].to_pylist(), failed["reason"].to_pylist(), strict=True))
    return shard_of, reasons


def _write(rows: Sequence[tuple[object, ...]], schema: pa.Schema, file: Path) -> None:
    columns = [[row[place] for row in rows] for place in range(len(schema))]
    pq.write_table(pa.table(columns, schema=schema), file)
