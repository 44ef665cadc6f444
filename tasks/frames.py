"""Step frames: every video decoded once, its sampled frames stored, what cannot be decoded quarantined."""

from pathlib import Path

from prefect import task

from tasks.manifest import media_root
from tasks.step import HOUR, OPTIONS, ByProvenance, make, store_in
from videoguard.artifacts import Artifact, Draft, Provenance, digest_json, digest_source
from videoguard.config import DataSection, FramesSection
from videoguard.frames.extraction import extract_frames, require_decoded
from videoguard.manifests.listing import read_listing
from videoguard.progress import Progress, tell

# How many processes decode, and how long they may take, does not change what they decode.
_WITHOUT_EFFECT = {"workers", "timeout_s"}


def sampling_rule(rule: FramesSection) -> dict[str, object]:
    """What decides which frames a model sees, and how they are stored."""
    return rule.model_dump(mode="json", exclude=_WITHOUT_EFFECT)


def _provenance(data: DataSection, rule: FramesSection, manifest: Artifact, state: Path) -> Provenance:
    listing = read_listing(store_in(state).path(manifest), media_root(data))
    return Provenance(
        step="frames",
        code=digest_source(["frames"]),
        settings=sampling_rule(rule),
        inputs={"media": digest_json(listing.media_digests)},
    )


@task(name="frames", timeout_seconds=48 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def extract_frames_task(data: DataSection, rule: FramesSection, manifest: Artifact, state: Path) -> Artifact:
    """Decode the videos of a manifest into the frame store."""

    def fill(draft: Draft) -> None:
        listing = read_listing(store_in(state).path(manifest), media_root(data))
        counts = extract_frames(
            listing.paths,
            **rule.model_dump(exclude={"sampling"}),
            destination=draft.folder,
            on_progress=lambda done, of: tell(Progress("frames", done, of)),
        )
        require_decoded(counts, data.manifest)
        draft.facts = {"decoded": counts.decoded, "quarantined": counts.quarantined}

    return make(state, _provenance(data, rule, manifest, state), fill)
