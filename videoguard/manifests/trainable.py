"""Which samples the flow `train-eval` can use."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from videoguard.errors import UserError
from videoguard.manifests.reading import ManifestReading
from videoguard.manifests.sample import RowProblem, Sample


def keep_trainable(reading: ManifestReading, manifest: Path) -> ManifestReading:
    """A reading without the samples that show no video or want no answer, which become problems of their rows.

    Raises:
        UserError: none is left; the message tells how many rows lack what.
    """
    lacking = [_lacking(sample) for sample in reading.samples]
    refused = [
        RowProblem(row, "row", f"{reason}: the flow learns from videos with wanted answers")
        for row, reason in zip(reading.rows, lacking, strict=True)
        if reason is not None
    ]
    kept = [place for place, reason in enumerate(lacking) if reason is None]
    if not kept:
        counts = Counter(reason for reason in lacking if reason is not None)
        told = ", ".join(f"{number} rows: {reason}" for reason, number in counts.items())
        raise UserError(
            f"manifest {manifest} ({reading.format}) has no row to learn from ({told}): the flow train-eval learns from "
            "videos with wanted answers"
        )
    return replace(
        reading,
        samples=[reading.samples[place] for place in kept],
        rows=[reading.rows[place] for place in kept],
        problems=sorted([*reading.problems, *refused], key=lambda problem: problem.row),
    )


def _lacking(sample: Sample) -> str | None:
    """Why the flow cannot use a sample; None where it can."""
    if sample.video is None:
        return "shows images, which are not read as frames yet" if sample.images else "shows no video"
    return "has no wanted answer" if sample.answer is None else None
