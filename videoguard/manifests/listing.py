"""A manifest with the digests of its media, as the steps after it read it: independent of where the files are."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from videoguard.digests import digest_json, digest_media
from videoguard.manifests.sample import MediaSource, RowProblem, Sample, files_of, media_sources

_LISTING = "listing.json"
_DIGESTED_AT_ONCE = 8
# To hand over a tiny file takes as long as to digest it.
_DIGESTED_IN_TURN = 32


class Listing(BaseModel):
    """What a manifest asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    samples: list[Sample]
    media_digests: dict[str, str | None]
    """Content of each clip (video, or images together) by name; None where a file is missing."""
    problems: list[str]
    """Rows that could not be read."""

    @property
    def sources(self) -> dict[str, MediaSource]:
        """The files of each clip by name."""
        return media_sources(self.samples)


def make_listing(samples: Sequence[Sample], problems: Sequence[RowProblem], format_name: str) -> Listing:
    """Digest the media of a manifest's samples."""
    sources = media_sources(samples)
    clips = sorted(sources)
    parts = [clips[start : start + _DIGESTED_IN_TURN] for start in range(0, len(clips), _DIGESTED_IN_TURN)]
    # Digesting, and waiting for a disk, leave the interpreter free.
    with ThreadPoolExecutor(min(_DIGESTED_AT_ONCE, os.cpu_count() or 1)) as threads:
        digested = threads.map(lambda part: [_digest_or_none(sources[clip]) for clip in part], parts)
        digests = dict(zip(clips, chain.from_iterable(digested), strict=True))
    return Listing(
        format=format_name, samples=list(samples), media_digests=digests, problems=[str(problem) for problem in problems]
    )


def write_listing(listing: Listing, folder: Path) -> None:
    """Write a listing; its bytes name no folder of this machine."""
    content = listing.model_dump_json(indent=1, exclude={"samples": {"__all__": {"root"}}})
    (folder / _LISTING).write_text(content + "\n", encoding="utf-8")


def read_listing(folder: Path, media_root: Path) -> Listing:
    """Read a listing, its paths under `media_root`."""
    content: dict[str, Any] = json.loads((folder / _LISTING).read_text(encoding="utf-8"))
    samples = [{"root": media_root, **sample} for sample in content.pop("samples")]
    return Listing.model_validate({"samples": samples, **content})


def stamp_files(paths: Sequence[Path]) -> str:
    """Digest of names, sizes and modification times: changes whenever a file was written, and reads none of them."""
    stamps = {}
    for path in paths:
        known = path.stat() if path.is_file() else None
        stamps[str(path)] = [known.st_size, known.st_mtime_ns] if known else None
    return digest_json(stamps)


def _digest_or_none(source: MediaSource) -> str | None:
    return digest_media(source) if all(file.is_file() for file in files_of(source)) else None
