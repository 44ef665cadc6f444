"""What a manifest format is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from videoguard.manifests.fields import Row
from videoguard.manifests.sample import Sample

Part: TypeAlias = Literal[
    "video", "images", "question", "answer", "history", "system", "label", "guard", "clips", "untimed labels", "output_video"
]
"""What a sample may have and a format may hold.

`clips` are guarded parts with files or descriptions of their own, `untimed labels` those of parts without times.
"""


@dataclass(frozen=True)
class ManifestFormat:
    """How the rows of one format are recognised, read and written."""

    name: str
    fields: frozenset[str]
    """Names of the fields that it reads."""
    needs: frozenset[Part]
    """What a sample must have to be written."""
    holds: frozenset[Part]
    """What of a sample is read again as it was written. A system message or label outside goes into a field of its own."""
    recognises: Callable[[Mapping[str, object]], bool]
    """Whether a row is meant to be of this format, well-formed or not."""
    read: Callable[[Row], Sample | None]
    """The sample of a row, as yet without an id; None where a field was refused."""
    write: Callable[[Sample], dict[str, object]]
    """The row of a sample that has what the format needs."""
    nested: frozenset[str] = frozenset()
    """Those of its fields that hold a list or an object: in a cell of a table they are JSON."""
    question: str | None = None
    """What is asked where the format itself holds no question."""


def parts_of(sample: Sample) -> set[Part]:
    """What a sample has."""
    segments = sample.guard.segments if sample.guard is not None else ()
    present: dict[Part, object] = {
        "video": sample.video,
        "images": sample.images,
        "question": sample.question,
        "answer": sample.answer,
        "history": sample.history,
        "system": sample.system,
        "label": sample.label,
        "guard": sample.guard,
        "clips": any(segment.video or segment.description for segment in segments),
        "untimed labels": any(segment.labels and segment.start is None for segment in segments),
        "output_video": sample.output_video,
    }
    return {part for part, value in present.items() if value}
