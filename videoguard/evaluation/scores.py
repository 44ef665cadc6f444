"""What an evaluation found: scores a row, summaries a metric."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

_FILE = "evaluation.json"


class RowScores(BaseModel):
    """Scores of one answered sample.

    A metric that could not be computed for the row is None in `scores`, and its reason stands in `reasons`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    scores: dict[str, float | None]
    reasons: dict[str, str] = {}
    """Why a metric is unscored, by metric."""
    identified: str | None = None
    """Exercise that the answer names."""


class MetricSummary(BaseModel):
    """One metric over the scored rows; what was unscored is counted beside it and is in no mean.

    The interval is the 95 % percentile bootstrap of the mean, resampled by group (source video); it is None where the
    scored rows are of one group. Every figure is None where no row was scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    unscored: int
    mean: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    median: float | None = None
    std: float | None = None
    """Sample standard deviation (n - 1); None for a single row."""
    min: float | None = None
    max: float | None = None


class Evaluation(BaseModel):
    """Scores of one model on one list of rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: list[RowScores]
    """In the order of the answered rows."""
    summary: dict[str, MetricSummary]
    """By metric."""
    by_label: dict[str, dict[str, MetricSummary]] = {}
    """By label, then by metric."""


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write `evaluation.json` into a folder."""
    (folder / _FILE).write_text(evaluation.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation of a folder."""
    return Evaluation.model_validate_json((folder / _FILE).read_bytes())
