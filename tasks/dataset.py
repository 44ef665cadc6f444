"""Step dataset: train, validation and test rows that share no source video."""

from typing import Literal

from prefect import task
from pydantic import JsonValue

from tasks.frames import StoredFrames, frame_artifacts, frames_digest
from tasks.manifest import listing_of
from tasks.quality import kept_videos
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import AnswerSection, DataSection, DatasetSection
from videoguard.digests import digest_source


def _provenance(
    place: Workplace,
    data: DataSection,
    rule: DatasetSection,
    manifest: Artifact,
    frames: StoredFrames | None,
    seed: int,
    quality: Artifact | None = None,
) -> Provenance:
    judged = {} if quality is None else {"quality": quality.digest}
    return Provenance(
        step="dataset",
        code=digest_source(
            ["dataset", "manifests/labels.py", "manifests/sample.py", "manifests/formats/guard_categories.py"]
        ),
        settings={**rule.model_dump(mode="json", exclude={"answer"}), **_answer_rule(rule), "seed": seed},
        inputs={"manifest": manifest.digest, "frames": frames_digest(frames), **judged},
        parents=(manifest, *frame_artifacts(frames), *([] if quality is None else [quality])),
    )


def _answer_rule(rule: DatasetSection) -> dict[str, object]:
    """By the schema itself: where its file lies is nobody's matter."""
    content = schema_content(rule.answer)
    return {} if content is None or rule.answer is None else {"answer": {"schema": content, "clean": rule.answer.clean}}


@task(name="dataset", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def build_dataset_task(
    place: Workplace,
    data: DataSection,
    rule: DatasetSection,
    manifest: Artifact,
    frames: StoredFrames | None,
    seed: int,
    quality: Artifact | None = None,
) -> Artifact:
    """Assign the samples of decoded videos that are good enough to splits and write their conversations.

    Where the recipe has a schema of the answers, they are brought to it first.
    """

    def fill(draft: Draft) -> None:
        from videoguard.dataset.building import build_dataset
        from videoguard.dataset.cleaning import clean_for, write_dropped

        samples = listing_of(place, data, manifest).samples
        cleaned = clean_for(samples, rule.answer)
        rows = build_dataset(
            cleaned.samples,
            _kept_digests(place, quality, frames),
            times_of=None if frames is None else frames.open(place).timestamps,
            **rule.model_dump(exclude={"answer"}),
            seed=seed,
            folder=draft.folder,
        )
        write_dropped(cleaned.dropped, draft.folder)
        draft.facts = {"rows": rows, "repaired": cleaned.repaired, "dropped": cleaned.reasons}

    return place.make(_provenance(place, data, rule, manifest, frames, seed, quality), fill)


def schema_content(answer: AnswerSection | None) -> dict[str, JsonValue] | None:
    """The JSON Schema of a recipe's answers, read from its file; None where it has none."""
    if answer is None:
        return None
    from videoguard.dataset.answer_schema import load_answer_schema

    return dict(load_answer_schema(answer.json_schema).content)


def counts_of(dataset: Artifact, fact: Literal["rows", "dropped", "repaired"]) -> dict[str, int]:
    """Rows by split; rows that the cleaning left out, by the rule that they break; answers that it mended, by rule."""
    counts = dataset.facts[fact]
    assert isinstance(counts, dict)
    return counts


def _kept_digests(place: Workplace, quality: Artifact | None, frames: StoredFrames | None) -> dict[str, str]:
    """Content digest of each clip that has frames and is good enough."""
    if frames is None:
        return {}
    decoded = frames.open(place)
    return {video: decoded.digest_of(video) for video in kept_videos(place, quality, decoded)}
