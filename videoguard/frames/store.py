"""`FrameStore`: the stored frames of a manifest's videos, read one video at a time."""

import io
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from videoguard.frames.index import QUARANTINE, VIDEOS
from videoguard.frames.shard import FRAMES

_GROUPS_KEPT = 4


@dataclass(frozen=True)
class _Place:
    group: int
    row: int


@dataclass(frozen=True)
class _Shard:
    file: pq.ParquetFile
    places: dict[str, _Place]
    """Of each content, by its digest."""


def decode_frames(images: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Stored frames as pictures: `(frames, height, width, 3) uint8 RGB`."""
    return np.stack([np.asarray(_as_rgb(Image.open(io.BytesIO(image)))) for image in images])


def _as_rgb(image: Image.Image) -> Image.Image:
    # To convert what is RGB already copies it.
    return image if image.mode == "RGB" else image.convert("RGB")


class FrameStore:
    """Read side of an index and its shards.

    A shard is opened when a video of it is asked for, and a look-up reads one row group. The store may be pickled, used on
    both sides of a fork, and by several threads.
    """

    def __init__(self, index_folder: Path, shard_folders: Sequence[Path]) -> None:
        """Read the names.

        Args:
            index_folder: what `index_frames` wrote.
            shard_folders: the shards, in the order in which they were indexed.

        Raises:
            FileNotFoundError: `index_folder` holds no index.
            ValueError: the index names more shards than are given.
        """
        self.folder = index_folder
        self.shard_folders = list(shard_folders)
        if not (index_folder / VIDEOS).is_file():
            raise FileNotFoundError(f"{index_folder} holds no {VIDEOS}: it is not an index of frames")
        # Not `pq.read_table`: it imports pyarrow's data sets, which takes a quarter of a second.
        names = pq.ParquetFile(index_folder / VIDEOS).read(use_threads=False).to_pydict()
        self._digests: dict[str, str] = dict(zip(names["video"], names["media_digest"], strict=True))
        self._shard_of: dict[str, int] = dict(zip(names["media_digest"], names["shard"], strict=True))
        needed = max(self._shard_of.values(), default=-1) + 1
        if len(self.shard_folders) < needed:
            raise ValueError(f"{index_folder} needs {needed} shards, and {len(self.shard_folders)} are given")
        self._shards: dict[int, _Shard] = {}
        self._shapes: dict[int, dict[str, tuple[int, int, int]]] = {}
        self._groups: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._reading = threading.Lock()

    def videos(self) -> list[str]:
        """Names of the videos that have frames, sorted."""
        return sorted(self._digests)

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of the file of each video that has frames, by the video's name."""
        return self._digests

    def digest_of(self, video: str) -> str:
        """SHA-256 of the video's file; `KeyError` where the video has no frames."""
        if video not in self._digests:
            raise KeyError(f"{self.folder} has no frames of {video}: it is not in the manifest, or in quarantine")
        return self._digests[video]

    def frames(self, video: str) -> npt.NDArray[np.uint8]:
        """Frames of a video in their order: `(frames, height, width, 3) uint8 RGB`."""
        return decode_frames(self.encoded(video))

    def encoded(self, video: str) -> list[bytes]:
        """Frames of a video as JPEG or PNG files, in their order."""
        images: list[bytes] = self._row(video)["frames"][0].as_py()
        return images

    def timestamps(self, video: str) -> npt.NDArray[np.float64]:
        """When each frame is shown, seconds from the first frame of the file: `(frames,)`."""
        return np.asarray(self._row(video)["timestamps_s"][0].as_py(), dtype=np.float64)

    def source_size(self, video: str) -> tuple[int, int]:
        """Width and height of the video itself, pixels."""
        row = self._row(video)
        return row["source_width"][0].as_py(), row["source_height"][0].as_py()

    def shape(self, video: str) -> tuple[int, int, int]:
        """Frames of a video, their height and their width, pixels; reads no picture."""
        digest = self.digest_of(video)
        number = self._shard_of[digest]
        with self._reading:
            if number not in self._shapes:
                columns = ["media_digest", "timestamps_s", "height", "width"]
                table = self._shard(number).file.read(columns=columns, use_threads=False).to_pydict()
                sizes = zip(map(len, table["timestamps_s"]), table["height"], table["width"], strict=True)
                self._shapes[number] = dict(zip(table["media_digest"], sizes, strict=True))
            return self._shapes[number][digest]

    def place_of(self, video: str) -> tuple[int, int, int]:
        """Where the frames of a video are: shard, row group, row. In this order each row group is read once."""
        digest = self.digest_of(video)
        number = self._shard_of[digest]
        with self._reading:
            place = self._place(number, digest, video)
        return number, place.group, place.row

    def quarantine(self) -> list[tuple[str, str]]:
        """Name and reason of each video that has no frames, sorted by name."""
        table = pq.ParquetFile(self.folder / QUARANTINE).read(columns=["video", "reason"], use_threads=False)
        return list(zip(table["video"].to_pylist(), table["reason"].to_pylist(), strict=True))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_shards": {}, "_groups": OrderedDict(), "_reading": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._reading = threading.Lock()

    def _row(self, video: str) -> pa.Table:
        digest = self.digest_of(video)
        number = self._shard_of[digest]
        with self._reading:
            place = self._place(number, digest, video)
            return self._group(number, place.group).slice(place.row, 1)

    def _place(self, number: int, digest: str, video: str) -> _Place:
        place = self._shard(number).places.get(digest)
        if place is None:
            raise ValueError(
                f"{self.shard_folders[number]} does not hold {video} ({digest}): "
                "give the shards in the order in which they were indexed"
            )
        return place

    def _group(self, number: int, group: int) -> pa.Table:
        key = (number, group)
        if key not in self._groups:
            columns = ["frames", "timestamps_s", "source_width", "source_height"]
            self._groups[key] = self._shard(number).file.read_row_group(group, columns=columns, use_threads=False)
            if len(self._groups) > _GROUPS_KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return self._groups[key]

    def _shard(self, number: int) -> _Shard:
        if number not in self._shards:
            self._shards[number] = _open(self.shard_folders[number] / FRAMES)
        return self._shards[number]


def _open(path: Path) -> _Shard:
    # Mapped into memory: reads share no position, so what was opened before a fork serves both processes.
    file = pq.ParquetFile(path, memory_map=True)
    places = {}
    for group in range(file.num_row_groups):
        digests = file.read_row_group(group, columns=["media_digest"], use_threads=False)["media_digest"]
        places.update({digest: _Place(group, row) for row, digest in enumerate(digests.to_pylist())})
    return _Shard(file, places)
