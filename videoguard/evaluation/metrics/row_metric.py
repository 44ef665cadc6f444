"""What a metric is to the evaluation: all rows in one call."""

from typing import NotRequired, Protocol, TypedDict

Named = tuple[str, str | None]
"""The class that was wanted, and the one that the answer names; None where it names none."""


class RowResults(TypedDict):
    """What `compute` of each metric returns: lists as long as its input, and in its order."""

    scores: list[float | None]
    reasons: list[str | None]
    """Why a row has no score."""
    classes: NotRequired[list[list[Named]]]
    """Of a metric that tells classes apart, what each row wanted and named; none for an unscored row."""
    corpus: NotRequired[float | None]
    """The measure over all scored rows at once, where it is no mean of rows."""
    notes: NotRequired[list[str | None]]
    """What is to be said of each score."""


class RowMetric(Protocol):
    """A metric as the evaluation uses it."""

    def compute(self, *, predictions: list[str], references: list[str]) -> RowResults:
        """Scores and reasons, one a row."""
        ...
