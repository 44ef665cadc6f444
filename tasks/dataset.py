"""Step dataset: train, validation and test rows that share no source video."""

from prefect import task

from tasks.frames import StoredFrames
from tasks.manifest import listing_of
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import DataSection, DatasetSection
from videoguard.digests import digest_source


def _provenance(
    place: Workplace, data: DataSection, rule: DatasetSection, manifest: Artifact, frames: StoredFrames, seed: int
) -> Provenance:
    return Provenance(
        step="dataset",
        code=digest_source(["dataset", "manifests/labels.py", "manifests/sample.py"]),
        settings={**rule.model_dump(mode="json"), "seed": seed},
        inputs={"manifest": manifest.digest, "frames": frames.digest},
        parents=(manifest, *frames.artifacts),
    )


@task(name="dataset", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def build_dataset_task(
    place: Workplace, data: DataSection, rule: DatasetSection, manifest: Artifact, frames: StoredFrames, seed: int
) -> Artifact:
    """Assign the samples of decoded videos to splits and write their conversations."""

    def fill(draft: Draft) -> None:
        from videoguard.dataset.building import build_dataset

        decoded = frames.open(place)
        rows = build_dataset(
            listing_of(place, data, manifest).samples,
            {video: decoded.digest_of(video) for video in decoded.videos()},
            **rule.model_dump(),
            seed=seed,
            folder=draft.folder,
        )
        draft.facts = {"rows": rows}

    return place.make(_provenance(place, data, rule, manifest, frames, seed), fill)
