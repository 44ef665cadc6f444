"""Step manifest: the list of videos and wanted answers, read, checked and digested."""

from pathlib import Path

from prefect import task

from tasks.step import HOUR, OPTIONS, ByProvenance, make
from videoguard.artifacts import Artifact, Draft, Provenance, digest_file, digest_source
from videoguard.config import DataSection
from videoguard.exercises.generate import generate_exercise_videos
from videoguard.manifests.listing import make_listing, stamp_files, write_listing
from videoguard.manifests.reading import read_manifest
from videoguard.progress import Progress, tell


def media_root(data: DataSection) -> Path:
    """Folder that the manifest's video paths are relative to."""
    return data.media_root if data.media_root is not None else data.manifest.parent


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


def _provenance(data: DataSection, state: Path) -> Provenance:
    reading = read_manifest(data.manifest, data.media_root)
    return Provenance(
        step="manifest",
        code=digest_source(["manifests"]),
        settings={"media_root": str(media_root(data).absolute())},
        inputs={
            "manifest": digest_file(data.manifest),
            "media": stamp_files(sorted({sample.path for sample in reading.samples})),
        },
    )


@task(name="manifest", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def read_listing_task(data: DataSection, state: Path) -> Artifact:
    """Read the manifest and digest its videos."""

    def fill(draft: Draft) -> None:
        reading = read_manifest(data.manifest, data.media_root)
        listing = make_listing(reading.samples, reading.problems, reading.format)
        write_listing(listing, draft.folder)
        draft.facts = {"samples": len(listing.samples), "videos": len(listing.media_digests), "problems": listing.problems}

    return make(state, _provenance(data, state), fill)
