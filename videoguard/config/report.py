"""The workbook."""

from pathlib import Path

from pydantic import Field, model_validator

from videoguard.config.evaluation import MetricName
from videoguard.config.section import Section


class Band(Section):
    """Two thresholds of a score: at least `green` is good, at least `yellow` is middling, below is poor."""

    green: float
    yellow: float

    @model_validator(mode="after")
    def _ordered(self) -> "Band":
        if self.yellow > self.green:
            raise ValueError(f"yellow {self.yellow} is above green {self.green}: it must be at most as high")
        return self


def _default_bands() -> dict[MetricName, Band]:
    return {
        "bert_similarity": Band(green=0.7, yellow=0.4),
        "meteor": Band(green=0.5, yellow=0.2),
        "rouge_l": Band(green=0.5, yellow=0.2),
        "exercise_accuracy": Band(green=0.9, yellow=0.7),
        "json_validity": Band(green=0.98, yellow=0.9),
    }


class ReportSection(Section):
    """The workbook."""

    folder: Path = Path("reports")
    """Where workbooks are put."""
    title: str = "Video-Guard evaluation"
    """Heading of the workbook."""
    bands: dict[MetricName, Band] = Field(default_factory=_default_bands)
    """Colour thresholds of each metric."""
