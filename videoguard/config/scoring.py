"""What scoring answers takes of a recipe: everything but how they were made."""

from typing import Annotated, get_args

from pydantic import Field, model_validator

from videoguard.config.dataset import DatasetSection
from videoguard.config.evaluation import EvaluationSection, MetricName
from videoguard.config.report import ReportSection
from videoguard.config.section import Section


class ScoringConfig(Section):
    """The sections of a recipe that decide scores and workbook."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of the bootstrap."""
    dataset: DatasetSection = DatasetSection()
    """Of which the JSON Schema of answers is used."""
    evaluation: EvaluationSection = EvaluationSection()
    report: ReportSection = ReportSection()

    @model_validator(mode="after")
    def _bands_are_of_metrics(self) -> "ScoringConfig":
        check_bands(self.report, self.evaluation)
        return self


def check_bands(report: ReportSection, evaluation: EvaluationSection) -> None:
    """Refuse colours of a metric that there is not.

    Raises:
        ValueError: a band is of no metric. What the metrics of a user's file are called only the file knows.
    """
    known = {*get_args(MetricName), "judge"}
    unknown = sorted(report.bands.keys() - known)
    if unknown and evaluation.custom is None:
        names = ", ".join(sorted(known))
        raise ValueError(f"report.bands.{unknown[0]}: no metric has this name; the metrics are {names}")
