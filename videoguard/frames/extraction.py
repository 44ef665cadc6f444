"""Videos to Parquet shards of encoded frames; a video that cannot be decoded is quarantined by name and reason.

Shards are cut by content digest, so an added video touches one shard, and videos of equal content are decoded once.
"""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pebble import ProcessExpired

from videoguard.artifacts import digest_file
from videoguard.errors import UserError
from videoguard.frames.decoding import DecodeError
from videoguard.frames.workers import Codec, DecodingPool, EncodedVideo, FrameRule, decoding_pool, read_video

QUARANTINE = "quarantine.parquet"

FRAMES_SCHEMA = pa.schema(
    [
        ("media_digest", pa.string()),
        ("videos", pa.list_(pa.string())),
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
QUARANTINE_SCHEMA = pa.schema([("video", pa.string()), ("reason", pa.string()), ("media_digest", pa.string())])

# A row group is what one random access reads.
_GROUP_ROWS = 16
_GROUP_BYTES = 4 << 20
_PENDING_PER_WORKER = 4
_REASONS_TOLD = 5

ReadVideo = Callable[[Path, FrameRule], EncodedVideo]


@dataclass(frozen=True)
class VideoContent:
    """One distinct file content and the videos that have it."""

    digest: str
    """SHA-256 of the file."""
    path: Path
    videos: tuple[str, ...]
    """Names as the manifest writes them, sorted."""


@dataclass(frozen=True)
class Quarantined:
    """A video that gave no frames, and why."""

    video: str
    reason: str
    media_digest: str | None
    """None where the file could not even be read."""


@dataclass
class ExtractionCounts:
    """What became of the videos."""

    videos: int = 0
    """Names that were given."""
    decoded: int = 0
    """Names that have frames."""
    contents: int = 0
    """Distinct file contents stored."""
    frames: int = 0
    """Frames stored."""
    quarantine: list[Quarantined] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """Names that have no frames."""
        return len(self.quarantine)


def extract_frames(
    videos: Mapping[str, Path],
    *,
    count: int,
    max_side: int,
    codec: Codec,
    jpeg_quality: int,
    shards: int,
    workers: int,
    timeout_s: float,
    destination: Path,
    on_progress: Callable[[int, int], None] | None = None,
    read: ReadVideo = read_video,
) -> ExtractionCounts:
    """Decode videos in worker processes and write `frames-<k>-of-<n>.parquet` and `quarantine.parquet`.

    A crash of a decoding process or a video that takes longer than `timeout_s`, twice, quarantines that video alone.
    The files are the same for the same videos whatever the number of workers.

    Args:
        videos: file of each video, by its name in the manifest.
        count: frames of a video.
        max_side: longest side of a stored frame, pixels.
        codec: of a stored frame.
        jpeg_quality: 1 to 100.
        shards: files that the videos are spread over.
        workers: decoding processes.
        timeout_s: longest time for one video, seconds.
        destination: existing folder.
        on_progress: called with the number of videos done and to do.
        read: decodes and encodes one file in a worker process; importable there.

    Returns:
        Counts, and the quarantined videos by name.
    """
    rule = FrameRule(count, max_side, codec, jpeg_quality)
    contents, unreadable = identify_videos(videos, workers)
    counts = ExtractionCounts(videos=len(videos), quarantine=unreadable)
    done = len(unreadable)

    def count_done(content: VideoContent) -> None:
        nonlocal done
        done += len(content.videos)
        if on_progress is not None:
            on_progress(done, len(videos))

    by_digest = {content.digest: content for content in contents}
    with decoding_pool(workers) as pool:
        for shard, digests in enumerate(assign_shards(by_digest, shards)):
            file = destination / shard_name(shard, shards)
            members = [by_digest[digest] for digest in digests]
            written = extract_shard(
                members, file, rule=rule, pool=pool, timeout_s=timeout_s, on_content=count_done, read=read
            )
            counts.decoded += written.decoded
            counts.contents += written.contents
            counts.frames += written.frames
            counts.quarantine += written.quarantine
    counts.quarantine.sort(key=lambda entry: entry.video)
    write_quarantine(destination / QUARANTINE, counts.quarantine)
    return counts


def identify_videos(videos: Mapping[str, Path], workers: int) -> tuple[list[VideoContent], list[Quarantined]]:
    """Distinct contents of video files, by digest, and the videos whose file cannot be read."""
    names = sorted(videos)
    with ThreadPoolExecutor(workers) as pool:
        digests = list(pool.map(lambda name: _digest_or_reason(videos[name]), names))
    named: dict[str, list[str]] = {}
    unreadable = []
    for name, (digest, reason) in zip(names, digests, strict=True):
        if digest is None:
            unreadable.append(Quarantined(name, reason, None))
        else:
            named.setdefault(digest, []).append(name)
    contents = [VideoContent(digest, videos[same[0]], tuple(same)) for digest, same in sorted(named.items())]
    return contents, unreadable


def assign_shards(digests: Iterable[str], shards: int) -> list[list[str]]:
    """Digests of each shard, sorted; which shard a digest belongs to depends on nothing but itself."""
    assigned: list[list[str]] = [[] for _ in range(shards)]
    for digest in sorted(digests):
        assigned[int(digest[:8], 16) % shards].append(digest)
    return assigned


def shard_name(shard: int, shards: int) -> str:
    """File name of a shard, counted from 0."""
    return f"frames-{shard:05d}-of-{shards:05d}.parquet"


def extract_shard(
    contents: Sequence[VideoContent],
    file: Path,
    *,
    rule: FrameRule,
    pool: DecodingPool,
    timeout_s: float,
    on_content: Callable[[VideoContent], None] | None = None,
    read: ReadVideo = read_video,
) -> ExtractionCounts:
    """Write one shard, its rows in the order of `contents`; no more than a few videos are held in memory."""
    counts = ExtractionCounts(videos=sum(len(content.videos) for content in contents))
    with pq.ParquetWriter(file, FRAMES_SCHEMA, compression="none", use_dictionary=False) as writer:
        rows: list[dict[str, object]] = []
        size = 0
        for content, outcome in _decode_in_order(contents, rule, pool, timeout_s, read):
            if isinstance(outcome, str):
                counts.quarantine += [Quarantined(video, outcome, content.digest) for video in content.videos]
            else:
                counts.decoded += len(content.videos)
                counts.contents += 1
                counts.frames += len(outcome.frames)
                rows.append({"media_digest": content.digest, "videos": list(content.videos), **asdict(outcome)})
                size += sum(map(len, outcome.frames))
            if len(rows) == _GROUP_ROWS or size >= _GROUP_BYTES:
                _write_group(writer, rows)
                rows, size = [], 0
            if on_content is not None:
                on_content(content)
        if rows:
            _write_group(writer, rows)
    return counts


def require_decoded(counts: ExtractionCounts, manifest: Path) -> None:
    """Raise `UserError` where there were videos and none of them gave frames; its message tells the first reasons."""
    if counts.decoded:
        return
    listed = [f"  - {entry.video}: {entry.reason}" for entry in counts.quarantine[:_REASONS_TOLD]]
    more = len(counts.quarantine) - len(listed)
    raise UserError(
        f"{manifest}: none of its {counts.videos} videos can be decoded; check data.media_root and the files\n"
        + "\n".join(listed)
        + (f"\n  - and {more} more" if more else "")
    )


def write_quarantine(file: Path, quarantined: Sequence[Quarantined]) -> None:
    """Write the quarantined videos, one row each."""
    table = pa.Table.from_pylist([asdict(entry) for entry in quarantined], schema=QUARANTINE_SCHEMA)
    pq.write_table(table, file)


def _digest_or_reason(path: Path) -> tuple[str | None, str]:
    try:
        return digest_file(path), ""
    except FileNotFoundError:
        return None, "the file is missing"
    except OSError as error:
        return None, f"the file cannot be read: {error.strerror}"


def _decode_in_order(
    contents: Sequence[VideoContent], rule: FrameRule, pool: DecodingPool, timeout_s: float, read: ReadVideo
) -> Iterator[tuple[VideoContent, EncodedVideo | str]]:
    """Each content with its frames, or with the reason why it has none; a bounded number are under way."""

    def schedule(content: VideoContent) -> Future[EncodedVideo]:
        return pool.processes.schedule(read, args=(content.path, rule), timeout=timeout_s)

    waiting = iter(contents)
    under_way = deque((content, schedule(content)) for content in islice(waiting, _PENDING_PER_WORKER * pool.workers))
    while under_way:
        content, future = under_way.popleft()
        outcome = _frames_or_reason(future, partial(schedule, content), timeout_s)
        under_way.extend((following, schedule(following)) for following in islice(waiting, 1))
        yield content, outcome


def _frames_or_reason(
    future: Future[EncodedVideo], schedule_again: Callable[[], Future[EncodedVideo]], timeout_s: float
) -> EncodedVideo | str:
    """Wait for a video. A crash or a time-out may be the machine's fault and not the video's: it is tried once more."""
    mishap = ""
    for attempt in ("first", "second"):
        try:
            return future.result()
        except DecodeError as error:
            return error.reason
        except TimeoutError:
            mishap = f"decoding took longer than {timeout_s:g} s"
        except ProcessExpired as expired:
            mishap = f"the decoding process {_ending(expired.exitcode)}"
        if attempt == "first":
            future = schedule_again()
    return f"{mishap}, twice"


def _ending(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _write_group(writer: pq.ParquetWriter, rows: Sequence[Mapping[str, object]]) -> None:
    writer.write_table(pa.Table.from_pylist(list(rows), schema=FRAMES_SCHEMA), row_group_size=len(rows))
