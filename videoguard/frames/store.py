"""`FrameStore`: the stored frames of a manifest's videos, read one video at a time."""

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from videoguard.frames.extraction import QUARANTINE

_GROUPS_KEPT = 4


@dataclass(frozen=True)
class _Place:
    file: str
    group: int
    row: int


def decode_frames(images: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Stored frames as pictures: `(frames, height, width, 3) uint8 RGB`."""
    return np.stack([np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for image in images])


class FrameStore:
    """Read side of what `extract_frames` wrote.

    A look-up reads one row group. The store may be pickled, or used on both sides of a fork.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[str, str] = {}
        self._places: dict[str, _Place] = {}
        self._groups: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._files: dict[str, pq.ParquetFile] = {}
        shards = sorted(folder.glob("frames-*-of-*.parquet"))
        if not shards:
            raise FileNotFoundError(f"{folder} holds no frames-*.parquet: it is not a frame store")
        for shard in shards:
            self._index(shard.name)

    def videos(self) -> list[str]:
        """Names of the videos that have frames, sorted."""
        return sorted(self._digests)

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

    def quarantine(self) -> list[tuple[str, str]]:
        """Name and reason of each video that has no frames, sorted by name."""
        table = pq.read_table(self.folder / QUARANTINE, columns=["video", "reason"], use_threads=False)
        return list(zip(table["video"].to_pylist(), table["reason"].to_pylist(), strict=True))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_groups": OrderedDict(), "_files": {}}

    def _index(self, name: str) -> None:
        file = self._file(name)
        for group in range(file.num_row_groups):
            names = file.read_row_group(group, columns=["media_digest", "videos"], use_threads=False)
            for row, (digest, videos) in enumerate(
                zip(names["media_digest"].to_pylist(), names["videos"].to_pylist(), strict=True)
            ):
                self._places[digest] = _Place(name, group, row)
                self._digests.update(dict.fromkeys(videos, digest))

    def _row(self, video: str) -> pa.Table:
        place = self._places[self.digest_of(video)]
        return self._group(place.file, place.group).slice(place.row, 1)

    def _group(self, name: str, group: int) -> pa.Table:
        key = (name, group)
        if key not in self._groups:
            columns = ["frames", "timestamps_s"]
            self._groups[key] = self._file(name).read_row_group(group, columns=columns, use_threads=False)
            if len(self._groups) > _GROUPS_KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return self._groups[key]

    def _file(self, name: str) -> pq.ParquetFile:
        # Mapped into memory: reads share no position, so what was opened before a fork serves both processes.
        if name not in self._files:
            self._files[name] = pq.ParquetFile(self.folder / name, memory_map=True)
        return self._files[name]
