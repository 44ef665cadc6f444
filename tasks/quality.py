"""Step quality: the stored frames of every video scored, and the videos left out that break a rule of the recipe.

A recipe without the section `quality` has no such step.
"""

from prefect import task

from tasks.frames import StoredFrames
from tasks.manifest import listing_of
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import DataSection, QualitySection, RunConfig
from videoguard.digests import digest_source
from videoguard.frames.store import FrameStore
from videoguard.manifests.labels import exercise_name
from videoguard.progress import Progress, tell


def _provenance(
    place: Workplace, data: DataSection, rules: QualitySection, manifest: Artifact, frames: StoredFrames, threads: int
) -> Provenance:
    return Provenance(
        step="quality",
        code=digest_source(["quality", "manifests/labels.py"]),
        settings=rules.model_dump(mode="json"),
        inputs={"manifest": manifest.digest, "frames": frames.digest},
        parents=(manifest, *frames.artifacts),
    )


@task(name="quality", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def judge_quality_task(
    place: Workplace, data: DataSection, rules: QualitySection, manifest: Artifact, frames: StoredFrames, threads: int
) -> Artifact:
    """Score every video by its stored frames and judge it by the rules."""

    def fill(draft: Draft) -> None:
        from videoguard.quality.judging import judge_videos, require_kept
        from videoguard.quality.measuring import measure_videos
        from videoguard.quality.tables import write_quality

        labels: dict[str, list[str | None]] = {}
        for sample in listing_of(place, data, manifest).samples:
            if sample.clip is not None and sample.answer is not None:
                labels.setdefault(sample.clip, []).append(exercise_name(sample.answer))
        measured = measure_videos(
            frames.open(place),
            labels,
            threads=threads,
            on_progress=lambda done, of: tell(Progress("quality", done, of)),
        )
        judged = judge_videos(measured, rules)
        require_kept(judged, data.manifest)
        write_quality(judged, draft.folder)
        kept = sum(video.kept for video in judged)
        draft.facts = {"kept": kept, "left_out": len(judged) - kept}

    return place.make(_provenance(place, data, rules, manifest, frames, threads), fill)


def judge_quality(place: Workplace, config: RunConfig, manifest: Artifact, frames: StoredFrames | None) -> Artifact | None:
    """What the rules of the recipe leave out; None where it has none, or where nothing is shown."""
    if config.quality is None or frames is None:
        return None
    return judge_quality_task(place, config.data, config.quality, manifest, frames, config.frames.workers)


def kept_videos(place: Workplace, quality: Artifact | None, frames: FrameStore) -> list[str]:
    """Names of the videos that have frames and are good enough, sorted."""
    if quality is None:
        return frames.videos()
    from videoguard.quality.tables import read_quality

    return [video.video for video in read_quality(place.path(quality)) if video.kept]
