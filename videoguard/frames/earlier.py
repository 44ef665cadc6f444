"""What earlier shards hold: frames that are taken from there as they are, where they need not be decoded again."""

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from videoguard.frames.process import Outcome, Refusal
from videoguard.frames.shard import FRAMES, FRAMES_SCHEMA, QUARANTINE
from videoguard.frames.workers import EncodedVideo

_GROUPS_KEPT = 4
"""Rows are taken in the order in which they are stored, so that a group is read once; several shards may take turns."""


class EarlierFramesError(Exception):
    """An earlier shard that was whole cannot be read any more."""


class EarlierFrames:
    """Rows of earlier shards that were made by the same code, rule and limits.

    A shard stays readable once it is added, also where its folder is removed meanwhile. Refusals are taken too, but those
    that are lasting only: a crash, a time-out or too little memory may be the machine's fault.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        """Look for the contents of these digests."""
        self.folders: list[Path] = []
        """The shards that hold any of them."""
        self._wanted = set(wanted)
        self._files: list[pq.ParquetFile] = []
        self._rows: dict[str, tuple[int, int, int]] = {}
        """File, row group and row of each content that has frames."""
        self._refusals: dict[str, Refusal] = {}
        self._groups: OrderedDict[tuple[int, int], list[dict[str, Any]]] = OrderedDict()

    def __contains__(self, digest: str) -> bool:
        return digest in self._rows or digest in self._refusals

    def __len__(self) -> int:
        return len(self._rows) + len(self._refusals)

    @property
    def missing(self) -> set[str]:
        """Digests that no shard so far holds."""
        return {digest for digest in self._wanted if digest not in self}

    def add(self, folder: Path) -> None:
        """Look through a whole shard for the contents that are missing."""
        missing = self.missing
        try:
            refused = pq.ParquetFile(folder / QUARANTINE).read(use_threads=False).to_pylist()
            file = pq.ParquetFile(folder / FRAMES)
            rows = {
                digest: (len(self._files), group, row)
                for group in range(file.num_row_groups)
                for row, digest in enumerate(_digests(file, group))
                if digest in missing
            }
        except (OSError, pa.ArrowException):
            # Removed since it was found whole.
            return
        refusals = {
            entry["media_digest"]: Refusal(entry["reason"], lasting=True)
            for entry in refused
            if entry["lasting"] and entry["media_digest"] in missing
        }
        if rows:
            self._files.append(file)
            self._rows |= rows
        else:
            file.close()
        self._refusals |= refusals
        if rows or refusals:
            self.folders.append(folder)

    def take(self, digest: str) -> Outcome:
        """What became of a content that is held.

        Raises:
            EarlierFramesError: its shard cannot be read any more.
        """
        if digest in self._refusals:
            return self._refusals[digest]
        number, group, row = self._rows[digest]
        found = self._group(number, group)[row]
        if found["media_digest"] != digest:
            raise EarlierFramesError(f"row {row} of group {group} does not hold {digest}")
        return EncodedVideo(**{name: found[name] for name in FRAMES_SCHEMA.names[1:]})

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()
        self._groups.clear()

    def _group(self, number: int, group: int) -> list[dict[str, Any]]:
        key = (number, group)
        if key not in self._groups:
            try:
                read = self._files[number].read_row_group(group, columns=FRAMES_SCHEMA.names, use_threads=False)
            except (OSError, pa.ArrowException) as fault:
                raise EarlierFramesError(str(fault)) from fault
            self._groups[key] = read.to_pylist()
            if len(self._groups) > _GROUPS_KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return self._groups[key]


def _digests(file: pq.ParquetFile, group: int) -> list[Any]:
    digests: list[Any] = file.read_row_group(group, columns=["media_digest"], use_threads=False)["media_digest"].to_pylist()
    return digests
