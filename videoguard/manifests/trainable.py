"""Which samples the flow `train-eval` can use."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from videoguard.errors import UserError
from videoguard.manifests.reading import ManifestReading
from videoguard.manifests.sample import RowProblem, Sample

_RULE = "the flow learns from videos, images or text alone, with wanted answers, or from guarded videos"


def keep_trainable(reading: ManifestReading, manifest: Path) -> ManifestReading:
    """A reading without the samples that the flow cannot learn from, which become problems of their rows.

    They want no answer, or are text alone where others show a video or images, or no guarded video where others are: a data
    set is one or the other. Of a guarded video its labels are enough.

    Raises:
        UserError: none is left; the message tells how many rows lack what.
    """
    shows = any(sample.clip is not None for sample in reading.samples if sample.answer is not None)
    guards = any(sample.guard is not None for sample in reading.samples)
    lacking = [_lacking(sample, shows, guards) for sample in reading.samples]
    refused = [
        RowProblem(row, "row", f"{reason}: {_RULE}")
        for row, reason in zip(reading.rows, lacking, strict=True)
        if reason is not None
    ]
    kept = [place for place, reason in enumerate(lacking) if reason is None]
    if not kept:
        counts = Counter(reason for reason in lacking if reason is not None)
        told = ", ".join(f"{number} rows: {reason}" for reason, number in counts.items())
        raise UserError(f"manifest {manifest} ({reading.format}) has no row to learn from ({told}): {_RULE}")
    return replace(
        reading,
        samples=[reading.samples[place] for place in kept],
        rows=[reading.rows[place] for place in kept],
        problems=sorted([*reading.problems, *refused], key=lambda problem: problem.row),
    )


def is_text_alone(samples: Iterable[Sample]) -> bool:
    """Whether samples that `keep_trainable` kept show nothing: then there are no frames."""
    return all(sample.clip is None for sample in samples)


def is_guarded(samples: Iterable[Sample]) -> bool:
    """Whether samples that `keep_trainable` kept are guarded videos, which are judged frame by frame."""
    return any(sample.guard is not None for sample in samples)


def _lacking(sample: Sample, shows: bool, guards: bool) -> str | None:
    """Why the flow cannot use a sample; None where it can."""
    if guards:
        return "is no guarded video, and other rows are" if sample.guard is None else None
    if sample.answer is None:
        return "has no wanted answer"
    return "shows nothing, and other rows do" if shows and sample.clip is None else None
