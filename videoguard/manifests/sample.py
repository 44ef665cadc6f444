"""`Sample`: one video with a question and the answer that is wanted, whatever format it came in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a manifest.

    `video` is the path as the manifest writes it, `path` the file it stands for (which need not exist).
    `id` is unique within the manifest and does not depend on the order of its rows.
    """

    id: str
    video: str
    path: Path
    question: str
    answer: str
    split: Literal["train", "validation", "test"] | None = None
    """`train`, `validation` or `test` where the manifest assigns one."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that could not be read: where, in which field, and which rule it breaks."""

    row: int
    """Position in the manifest, from 0."""
    field: str
    problem: str

    def __str__(self) -> str:
        """Say it in one line, as the terminal and the report show it."""
        return f"row {self.row}, {self.field}: {self.problem}"
