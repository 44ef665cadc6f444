"""A manifest with the digests of its media, as the steps after it read it: independent of where the files are.

Samples and digests are written and read line by line, and what is said twice is kept once, so that a listing takes about as
much memory as its content.
"""

import json
import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from videoguard.digests import digest_json, digest_media
from videoguard.manifests.sample import MediaSource, RowProblem, Sample, files_of, media_sources

_LISTING, _SAMPLES, _MEDIA = "listing.json", "samples.jsonl", "media.jsonl"
_DIGESTED_AT_ONCE = 8
# To hand over a tiny file takes as long as to digest it.
_DIGESTED_IN_TURN = 32
_SAMPLE = TypeAdapter(Sample)


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

    @cached_property
    def shown_in(self) -> dict[str, Sample]:
        """A sample that shows each content, by its digest."""
        shown = ((self.media_digests[clip], sample) for sample in self.samples for clip in sample.clips)
        return {digest: sample for digest, sample in shown if digest is not None}

    def media_of(self, digests: Collection[str]) -> dict[str, MediaSource]:
        """The files of some contents by digest: of all of them, `sources` takes long."""
        return {digest: self._source(digest) for digest in digests}

    def _source(self, digest: str) -> MediaSource:
        sources = media_sources([self.shown_in[digest]])
        return next(source for clip, source in sources.items() if self.media_digests[clip] == digest)


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
    content = listing.model_dump_json(indent=1, exclude={"samples", "media_digests"})
    (folder / _LISTING).write_text(content + "\n", encoding="utf-8")
    with (folder / _SAMPLES).open("wb") as file:
        for sample in listing.samples:
            file.write(_SAMPLE.dump_json(sample, exclude={"root"}, exclude_defaults=True) + b"\n")
    with (folder / _MEDIA).open("w", encoding="utf-8") as text:
        for entry in listing.media_digests.items():
            text.write(json.dumps(entry, ensure_ascii=False) + "\n")


def read_listing(folder: Path, media_root: Path) -> Listing:
    """Read a listing, its paths under `media_root`."""
    content: dict[str, Any] = json.loads((folder / _LISTING).read_text(encoding="utf-8"))
    said: dict[str, str] = {}
    samples = [
        _SAMPLE.validate_python({"root": media_root, **{name: _once(value, said) for name, value in sample.items()}})
        for sample in _lines(folder / _SAMPLES)
    ]
    digests = {said.get(clip, clip): digest for clip, digest in _lines(folder / _MEDIA)}
    return Listing(samples=samples, media_digests=digests, **content)


def stamp_files(paths: Sequence[Path]) -> str:
    """Digest of names, sizes and modification times: changes whenever a file was written, and reads none of them."""
    stamps = {}
    for path in paths:
        known = path.stat() if path.is_file() else None
        stamps[str(path)] = [known.st_size, known.st_mtime_ns] if known else None
    return digest_json(stamps)


def _lines(file: Path) -> Iterator[Any]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _once(value: object, said: dict[str, str]) -> object:
    """A text as it was first said: names of videos are ids too, and questions and answers repeat."""
    return said.setdefault(value, value) if isinstance(value, str) else value


def _digest_or_none(source: MediaSource) -> str | None:
    return digest_media(source) if all(file.is_file() for file in files_of(source)) else None
