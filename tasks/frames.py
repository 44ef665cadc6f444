"""Step frames: every video decoded once, its sampled frames stored, what cannot be decoded quarantined.

Each shard is a task and an artifact of its own that depends on nothing but the sampling rule and the videos' contents. Where
one has to be made, what earlier shards hold is taken from them, and the rest is decoded.
"""

from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.cluster import for_workers, submit_each
from tasks.earlier import CUT, find_earlier
from tasks.manifest import listing_of
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import DataSection, FramesSection
from videoguard.digests import digest_json, digest_source
from videoguard.frames.extraction import assign_shards, extract_shard, shard_number
from videoguard.frames.index import index_frames, require_decoded
from videoguard.frames.rule import FrameRule, SourceLimits
from videoguard.frames.store import FrameStore
from videoguard.manifests.sample import MediaSource, files_of
from videoguard.manifests.trainable import is_text_alone
from videoguard.progress import Progress, tell

# How many processes decode, what they may take for it and how the shards are cut does not change what they decode.
_WITHOUT_EFFECT = {"workers", "timeout_s", "memory_mb", "shards"}


class StoredFrames(BaseModel):
    """The frames of a manifest: the shards with the frames, and the index that names the videos."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: Artifact
    shards: tuple[Artifact, ...]

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The shards and the index."""
        return (*self.shards, self.index)

    @property
    def digest(self) -> str:
        """Digest of names and frames."""
        return digest_json([artifact.digest for artifact in self.artifacts])

    def index_folder(self, place: Workplace) -> Path:
        """Folder of the index."""
        return place.path(self.index)

    def shard_folders(self, place: Workplace) -> list[Path]:
        """Folders of the shards, in their order."""
        return [place.path(shard) for shard in self.shards]

    def open(self, place: Workplace) -> FrameStore:
        """The frames, to read."""
        return FrameStore(self.index_folder(place), self.shard_folders(place))


class FrameFolders(TypedDict):
    """Where a process finds the frames."""

    frame_store: Path | None
    frame_shards: tuple[Path, ...]


def frame_folders(place: Workplace, frames: StoredFrames | None) -> FrameFolders:
    """The part of a request that names the frames; where the data set is text alone there are none."""
    if frames is None:
        return {"frame_store": None, "frame_shards": ()}
    return {"frame_store": frames.index_folder(place), "frame_shards": tuple(frames.shard_folders(place))}


def frames_digest(frames: StoredFrames | None) -> str:
    """Digest of the frames as an input of a step."""
    return "none" if frames is None else frames.digest


def frame_artifacts(frames: StoredFrames | None) -> tuple[Artifact, ...]:
    """What a step that reads the frames comes from."""
    return () if frames is None else frames.artifacts


def store_frames(place: Workplace, data: DataSection, rule: FramesSection, manifest: Artifact) -> StoredFrames | None:
    """The frames of every video and list of images, a task a shard; None where the data set is text alone."""
    parts = shards_of(place, data, rule, manifest)
    if is_text_alone(listing_of(place, data, manifest).samples):
        return None
    given = {"place": place, "data": data, "rule": rule, "manifest": manifest}
    shards = [{**given, "digests": part} for part in parts]
    decoded = submit_each(extract_frames_task, shards, reads=_files_of_shard).result()
    return StoredFrames(index=index_frames_task(place, data, manifest, decoded), shards=tuple(decoded))


def sampling_rule(rule: FramesSection) -> dict[str, object]:
    """What decides which frames of a decoded video a model sees, and how they are stored."""
    return rule.model_dump(mode="json", exclude={*_WITHOUT_EFFECT, "limits"})


def frame_rule(rule: FramesSection) -> FrameRule:
    """The rule as the decoding processes take it."""
    limits = SourceLimits(**rule.limits.model_dump())
    return FrameRule(**rule.model_dump(exclude={*_WITHOUT_EFFECT, "limits"}), limits=limits)


def shards_of(place: Workplace, data: DataSection, rule: FramesSection, manifest: Artifact) -> list[list[str]]:
    """Digests of the videos of each shard that has any."""
    digests = {digest for digest in listing_of(place, data, manifest).media_digests.values() if digest is not None}
    return list(assign_shards(sorted(digests), rule.shards).values())


def _shard_provenance(
    place: Workplace, data: DataSection, rule: FramesSection, manifest: Artifact, digests: list[str]
) -> Provenance:
    return Provenance(
        step="frames",
        code=digest_source(["frames"]),
        settings={**sampling_rule(rule), "limits": rule.limits.model_dump(mode="json")},
        inputs={"media": digest_json(digests)},
        parents=(manifest,),
    )


def shard_is_stored(
    place: Workplace, data: DataSection, rule: FramesSection, manifest: Artifact, digests: list[str]
) -> bool:
    """Whether the frames of a shard need not be decoded."""
    return place.find(_shard_provenance(place, data, rule, manifest, digests)) is not None


@task(name="frames", timeout_seconds=48 * HOUR, cache_policy=ByProvenance(provenance=_shard_provenance), **OPTIONS)
@for_workers
def extract_frames_task(
    place: Workplace, data: DataSection, rule: FramesSection, manifest: Artifact, digests: list[str]
) -> Artifact:
    """Decode the videos of one shard that no earlier one holds."""

    def fill(draft: Draft) -> None:
        media = _media_of(place, data, manifest, digests)
        cut = (shard_number(digests[0], rule.shards), rule.shards)
        earlier = find_earlier(place, provenance, cut, media)
        note = f"{len(earlier):,} of {len(media):,} from an earlier shard" if earlier else ""
        with closing(earlier):
            counts = extract_shard(
                media,
                frame_rule(rule),
                draft.folder,
                workers=rule.workers,
                timeout_s=rule.timeout_s,
                memory_mb=rule.memory_mb,
                earlier=earlier,
                on_progress=lambda done, of: tell(Progress("frames", done, of, note, part=digests[0])),
            )
        draft.facts = {
            "decoded": counts.decoded,
            "quarantined": counts.quarantined,
            "frames": counts.frames,
            "taken": counts.taken,
            "taken_from": [f"frames/{folder.name}" for folder in earlier.folders] if counts.taken else [],
            CUT: cut,
        }

    provenance = _shard_provenance(place, data, rule, manifest, digests)
    return place.make(provenance, fill)


def _media_of(place: Workplace, data: DataSection, manifest: Artifact, digests: list[str]) -> dict[str, MediaSource]:
    """A video or list of images of each content."""
    return listing_of(place, data, manifest).media_of(digests)


def _files_of_shard(call: dict[str, Any]) -> list[Path]:
    media = _media_of(call["place"], call["data"], call["manifest"], call["digests"])
    return [file for source in media.values() for file in files_of(source)]


def _index_provenance(place: Workplace, data: DataSection, manifest: Artifact, shards: list[Artifact]) -> Provenance:
    return Provenance(
        step="frames-index",
        code=digest_source(["frames/index.py"]),
        settings={},
        inputs={
            "media": digest_json(listing_of(place, data, manifest).media_digests),
            "shards": digest_json([shard.digest for shard in shards]),
        },
        parents=(manifest, *shards),
    )


@task(name="frames index", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_index_provenance), **OPTIONS)
def index_frames_task(place: Workplace, data: DataSection, manifest: Artifact, shards: list[Artifact]) -> Artifact:
    """Name the videos of the shards, and those that are left out."""

    def fill(draft: Draft) -> None:
        digests = listing_of(place, data, manifest).media_digests
        counts = index_frames(digests, [place.path(shard) for shard in shards], draft.folder)
        require_decoded(counts, data.manifest)
        draft.facts = {"decoded": counts.decoded, "quarantined": counts.quarantined}

    return place.make(_index_provenance(place, data, manifest, shards), fill)
