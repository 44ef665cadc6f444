"""Where the step frames finds what earlier shards hold: a shard that has to be made decodes only what none of them has.

The stored shards tell by themselves what they are: there is no index to keep, and nothing to mend where some are removed.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from math import gcd

from tasks.step import Workplace
from videoguard.artifacts.records import ArtifactRecord, Provenance
from videoguard.digests import digest_json
from videoguard.frames.earlier import EarlierFrames
from videoguard.manifests.sample import MediaSource, files_of

CUT = "cut"
"""Fact of a shard: its number and the number of shards, which say what contents it may hold."""

_one_look = threading.Lock()


def find_earlier(
    place: Workplace, provenance: Provenance, cut: tuple[int, int], media: Mapping[str, MediaSource]
) -> EarlierFrames:
    """What whole earlier shards hold of a shard's contents, the newest first.

    All that lie on this machine are looked through. Of those that only the shared store has, some are fetched: together no
    more bytes than the videos have that are still missing. Decoding would read these bytes, which often come over the same
    network, and then work on them, so that the fetch is the cheaper way; where few videos of a shard are new, nothing is.

    Args:
        place: where the run works; where it refreshes the frames, nothing is taken.
        provenance: of the shard that is to be made.
        cut: its number, and the number of shards.
        media: the files of its contents, by digest.
    """
    found = EarlierFrames(media)
    if provenance.step in place.refresh:
        return found
    kind = (provenance.step, provenance.code, digest_json(provenance.settings))
    with _one_look:
        here = _here(place, *kind)
    for record in _of_cut(here, cut):
        if found.missing and place.store.find_damage(record) is None:
            _add(found, place, record)
    budget = _size_of(media, found.missing) if place.shared_store is not None else 0
    if budget:
        with _one_look:
            elsewhere = _elsewhere(place, *kind)
        for record in _of_cut(elsewhere, cut):
            if record.size <= budget:
                _add(found, place, record)
                budget = min(budget - record.size, _size_of(media, found.missing))
    return found


def _add(found: EarlierFrames, place: Workplace, record: ArtifactRecord) -> None:
    # Another process may have removed it since.
    with suppress(FileNotFoundError):
        found.add(place.path(record.artifact))


# A run looks once: what it makes itself is of other contents than those of its shards that are still to be made.
@lru_cache(maxsize=1)
def _here(place: Workplace, step: str, code: str, settings: str) -> list[ArtifactRecord]:
    return _of_kind(place.store.records(step), code, settings)


@lru_cache(maxsize=1)
def _elsewhere(place: Workplace, step: str, code: str, settings: str) -> list[ArtifactRecord]:
    return _of_kind(place.store.records_elsewhere(step), code, settings)


def _of_kind(records: Iterable[ArtifactRecord], code: str, settings: str) -> list[ArtifactRecord]:
    """The records of the same code and settings."""
    return [record for record in records if record.code == code and digest_json(record.settings) == settings]


def _of_cut(oldest_first: list[ArtifactRecord], cut: tuple[int, int]) -> Iterator[ArtifactRecord]:
    """The shards that may hold contents of shard `cut`, newest first.

    A content is in shard `n` of `m` where its number leaves `n` when divided by `m`. It can be in shard `k` of `l` as well
    only where `n` and `k` leave the same when divided by the greatest common divisor of `m` and `l`.
    """
    number, shards = cut
    for record in reversed(oldest_first):
        match record.facts.get(CUT):
            case [int(other), int(others)] if others > 0 and (number - other) % gcd(shards, others) == 0:
                yield record


def _size_of(media: Mapping[str, MediaSource], digests: Iterable[str]) -> int:
    """Bytes of the files of some contents."""
    total = 0
    for digest in digests:
        # What is gone is told where it is decoded.
        with suppress(OSError):
            total += sum(file.stat().st_size for file in files_of(media[digest]))
    return total
