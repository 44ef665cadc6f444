"""Step dataset: train, validation and test rows that share no source video."""

from pathlib import Path

from prefect import task

from tasks.manifest import media_root
from tasks.step import HOUR, OPTIONS, ByProvenance, make, store_in
from videoguard.artifacts import Artifact, Draft, Provenance, digest_source
from videoguard.config import DataSection, DatasetSection
from videoguard.frames.store import FrameStore
from videoguard.manifests.listing import read_listing


def _provenance(
    data: DataSection, rule: DatasetSection, manifest: Artifact, frames: Artifact, seed: int, state: Path
) -> Provenance:
    return Provenance(
        step="dataset",
        code=digest_source(["dataset", "manifests/labels.py"]),
        settings={**rule.model_dump(mode="json"), "seed": seed},
        inputs={"manifest": manifest.digest, "frames": frames.digest},
    )


@task(name="dataset", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def build_dataset_task(
    data: DataSection, rule: DatasetSection, manifest: Artifact, frames: Artifact, seed: int, state: Path
) -> Artifact:
    """Assign the samples of decoded videos to splits and write their conversations."""

    def fill(draft: Draft) -> None:
        from videoguard.dataset.building import build_dataset

        store = store_in(state)
        listing = read_listing(store.path(manifest), media_root(data))
        decoded = FrameStore(store.path(frames))
        rows = build_dataset(
            listing.samples,
            {video: decoded.digest_of(video) for video in decoded.videos()},
            **rule.model_dump(),
            seed=seed,
            folder=draft.folder,
        )
        draft.facts = {"rows": rows}

    return make(state, _provenance(data, rule, manifest, frames, seed, state), fill)
