"""Step manifest: the list of videos and wanted answers, read, checked and digested."""

from datetime import datetime
from functools import lru_cache
from pathlib import Path

from prefect import task

from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import DataSection
from videoguard.digests import digest_source
from videoguard.exercises.generate import generate_exercise_videos
from videoguard.exercises.incidents import generate_incident_videos
from videoguard.manifests.listing import Listing, make_listing, read_listing, stamp_files, write_listing
from videoguard.manifests.reading import ManifestReading, default_media_root, read_manifest
from videoguard.manifests.sample import files_of, media_sources
from videoguard.manifests.trainable import keep_trainable
from videoguard.progress import Progress, tell


def media_root(data: DataSection) -> Path:
    """Folder that the manifest's video paths are relative to."""
    return data.media_root if data.media_root is not None else default_media_root(data.manifest)


def listing_of(place: Workplace, data: DataSection, manifest: Artifact) -> Listing:
    """What the manifest asks for."""
    return _listing(place.path(manifest), manifest.digest, media_root(data))


# Every shard asks for it, more than once: reading it takes part of the time of decoding tiny clips.
@lru_cache(maxsize=1)
def _listing(folder: Path, digest: str, root: Path) -> Listing:
    # A second copy of all samples is not needed any more.
    _read.cache_clear()
    return read_listing(folder, root)


@task(name="videos", timeout_seconds=HOUR, retries=0)
def make_videos(data: DataSection, seed: int, workers: int) -> None:
    """Make the synthetic videos of the recipe, where it asks for them and they are not there."""
    if data.synthetic is not None:
        generate_exercise_videos(
            data.manifest.parent,
            **data.synthetic.model_dump(),
            seed=seed,
            workers=workers,
            on_progress=lambda done, of: tell(Progress("videos", done, of)),
        )
    if data.synthetic_guard is not None:
        generate_incident_videos(
            data.manifest.parent,
            **data.synthetic_guard.model_dump(),
            seed=seed,
            workers=workers,
            on_progress=lambda done, of: tell(Progress("videos", done, of)),
        )


@lru_cache(maxsize=1)
def _read(started: datetime, data: DataSection) -> ManifestReading:
    """The manifest as it was when a run first looked at it: one run sees one manifest."""
    return keep_trainable(read_manifest(data.manifest, data.media_root, allow_outside=data.allow_outside), data.manifest)


def _provenance(place: Workplace, data: DataSection) -> Provenance:
    reading = _read(place.started, data)
    sources = media_sources(reading.samples).values()
    return Provenance(
        step="manifest",
        code=digest_source(["manifests"]),
        settings={"media_root": str(media_root(data).absolute()), "allow_outside": data.allow_outside},
        inputs={
            "manifest": reading.digest,
            "media": stamp_files(sorted({file for source in sources for file in files_of(source)})),
        },
    )


@task(name="manifest", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def read_listing_task(place: Workplace, data: DataSection) -> Artifact:
    """Read the manifest and digest its videos."""

    def fill(draft: Draft) -> None:
        reading = _read(place.started, data)
        listing = make_listing(reading.samples, reading.problems, reading.format)
        write_listing(listing, draft.folder)
        draft.facts = {"samples": len(listing.samples), "videos": len(listing.media_digests), "problems": listing.problems}

    return place.make(_provenance(place, data), fill)
