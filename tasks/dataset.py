"""Step dataset: train, validation and test rows that share no source video."""

from prefect import task

from tasks.frames import StoredFrames
from tasks.manifest import listing_of
from tasks.quality import kept_videos
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import DataSection, DatasetSection
from videoguard.digests import digest_source


def _provenance(
    place: Workplace,
    data: DataSection,
    rule: DatasetSection,
    manifest: Artifact,
    frames: StoredFrames,
    seed: int,
    quality: Artifact | None = None,
) -> Provenance:
    judged = {} if quality is None else {"quality": quality.digest}
    return Provenance(
        step="dataset",
        code=digest_source(["dataset", "manifests/labels.py", "manifests/sample.py"]),
        settings={**rule.model_dump(mode="json"), "seed": seed},
        inputs={"manifest": manifest.digest, "frames": frames.digest, **judged},
        parents=(manifest, *frames.artifacts, *([] if quality is None else [quality])),
    )


@task(name="dataset", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def build_dataset_task(
    place: Workplace,
    data: DataSection,
    rule: DatasetSection,
    manifest: Artifact,
    frames: StoredFrames,
    seed: int,
    quality: Artifact | None = None,
) -> Artifact:
    """Assign the samples of decoded videos that are good enough to splits and write their conversations."""

    def fill(draft: Draft) -> None:
        from videoguard.dataset.building import build_dataset

        decoded = frames.open(place)
        rows = build_dataset(
            listing_of(place, data, manifest).samples,
            {video: decoded.digest_of(video) for video in kept_videos(place, quality, decoded)},
            **rule.model_dump(),
            seed=seed,
            folder=draft.folder,
        )
        draft.facts = {"rows": rows}

    return place.make(_provenance(place, data, rule, manifest, frames, seed, quality), fill)
