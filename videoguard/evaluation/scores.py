"""What an evaluation found: scores a row, summaries a metric, figures a class."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from videoguard.evaluation.calibration import Calibration
from videoguard.evaluation.judgements import JudgeReport

_FILE = "evaluation.json"

Scale = Literal["yes_no", "share", "rating", "count"]
"""How a metric's scores are read: 0 or 1, from 0 to 1 (a cosine from -1), from 1 to 5, or any number without a target."""


class MetricFacts(BaseModel):
    """What a reader must know of a metric to read its scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """As in code, MLflow, JSON and the config: `rouge_l`."""
    title: str
    """For readers: `ROUGE-L`."""
    scale: Scale = "share"
    better: Literal["higher", "lower"] | None = "higher"
    """Which way is better; None where neither is, such as for the length of an answer."""
    about: str = ""
    """What it measures, in a sentence."""


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
    notes: dict[str, str] = {}
    """What a metric says about its score, by metric: the judge's reason."""


class MetricSummary(BaseModel):
    """One metric over the scored rows; what was unscored is counted beside it and is in no mean.

    The interval is the 95 % percentile bootstrap of the mean, resampled by group (source video); it and the standard
    error are None where the scored rows are of one group. Every figure is None where no row was scored.
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
    standard_error: float | None = None
    """Of the mean, clustered by group."""
    corpus: float | None = None
    """The same measure over all answers at once, where it is no mean of rows (BLEU, chrF)."""


UNLISTED = "another name"
"""Column of the confusion matrix for answers that name what is not wanted of any row."""
UNNAMED = "no name"
"""Column of the confusion matrix for answers that name nothing."""


class ClassFigures(BaseModel):
    """One class: how often it was wanted, named and right.

    Precision is None where no answer named the class; F1 is 0 there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    wanted: int
    """Scored rows whose wanted answer is this class."""
    named: int
    """Scored rows whose answer names this class."""
    right: int
    """Both."""
    accuracy: float
    """Share of the wanted rows that are right (recall)."""
    precision: float | None
    f1: float


class ConfusionCell(BaseModel):
    """How often a class was answered where another, or the same, was wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wanted: str
    answered: str
    """A label of the classes, `UNLISTED` or `UNNAMED`."""
    count: int


class Classification(BaseModel):
    """A metric that tells classes apart: figures of each class, and what was taken for what.

    Rows that are unscored by the metric are in no figure. Figures are None where no row was scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    unscored: int
    accuracy: float | None = None
    macro_f1: float | None = None
    """Mean of the classes' F1: rare classes count as much as frequent ones."""
    classes: list[ClassFigures] = []
    """The classes that were wanted, the most frequent first, then by name."""
    confusion: list[ConfusionCell] = []
    """Cells above zero only: two thousand classes would have four million. In the order of `classes`, wanted first."""


class Evaluation(BaseModel):
    """Scores of one model on one list of rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: list[RowScores]
    """In the order of the answered rows."""
    summary: dict[str, MetricSummary]
    """By metric."""
    by_label: dict[str, dict[str, MetricSummary]] = {}
    """By label, then by metric."""
    metrics: dict[str, MetricFacts] = {}
    """How each metric of `summary` is read, in the order in which they are shown."""
    classifications: dict[str, Classification] = {}
    """By metric: `exercise_accuracy`, `action_top1`, `timeline_sentiment`."""
    judge: JudgeReport | None = None
    """Who judged and how far that agrees with the metrics; None where no judge was asked."""
    calibration: Calibration | None = None
    """Whether the label probabilities tell how often the labels are right; None where no labels were scored."""
    partial: str | None = None
    """Why the figures are not for comparison, such as `limit=20`; None for all rows."""


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write `evaluation.json` into a folder."""
    (folder / _FILE).write_text(evaluation.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation of a folder."""
    return Evaluation.model_validate_json((folder / _FILE).read_bytes())
