"""What a manifest holds, and everything that is wrong with it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from videoguard.manifests.labels import label_of
from videoguard.manifests.reading import ManifestReading
from videoguard.manifests.sample import RowProblem

UNSAID = "none"
"""Counted where a sample has no label, or no split is given."""


@dataclass(frozen=True)
class ManifestCheck:
    """What `video-guard data check` tells."""

    format: str
    carrier: str
    rows_by_format: dict[str, int]
    samples: int
    labels: dict[str, int]
    """Samples by label, the commonest first."""
    splits: dict[str, int]
    """Samples by the split that the manifest gives."""
    labels_by_split: dict[str, dict[str, int]]
    media: int
    """Files that are named, each once."""
    missing: list[str]
    """Those that are not there, sorted."""
    unread: dict[str, int]
    """Rows that have each field that no sample can hold."""
    problems: list[RowProblem]

    @property
    def is_sound(self) -> bool:
        """Whether every row was read and every file is there."""
        return not self.problems and not self.missing


def check_reading(reading: ManifestReading) -> ManifestCheck:
    """Count what was read, and look for its media files."""
    files: dict[str, Path] = {name: sample.root / name for sample in reading.samples for name in sample.media}
    placed = [(label_of(sample) or UNSAID, sample.split or UNSAID) for sample in reading.samples]
    splits = Counter(split for _, split in placed)
    return ManifestCheck(
        format=reading.format,
        carrier=reading.carrier,
        rows_by_format=reading.formats,
        samples=len(reading.samples),
        labels=dict(Counter(label for label, _ in placed).most_common()),
        splits=dict(splits.most_common()),
        labels_by_split={
            split: dict(Counter(label for label, its in placed if its == split).most_common()) for split in splits
        },
        media=len(files),
        missing=sorted(name for name, file in files.items() if not file.is_file()),
        unread=reading.unread,
        problems=reading.problems,
    )
