"""The workbook."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from videoguard.config.section import Section

Colour = Literal["green", "yellow", "red"]


class Band(Section):
    """Two thresholds of a score: at least `green` is good, at least `yellow` is middling, below is poor.

    Where lower is better: at most `green` is good, at most `yellow` is middling, above is poor.
    """

    green: float
    yellow: float
    lower_is_better: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Band":
        if self.lower_is_better and self.yellow < self.green:
            raise ValueError(
                f"yellow {self.yellow} is below green {self.green}: where lower is better it must be at least as high"
            )
        if not self.lower_is_better and self.yellow > self.green:
            raise ValueError(f"yellow {self.yellow} is above green {self.green}: it must be at most as high")
        return self

    def colour(self, score: float) -> Colour:
        """The colour of a score."""
        sign = -1 if self.lower_is_better else 1
        if sign * score >= sign * self.green:
            return "green"
        return "yellow" if sign * score >= sign * self.yellow else "red"


def _default_bands() -> dict[str, Band]:
    return {
        "bert_similarity": Band(green=0.7, yellow=0.4),
        "meteor": Band(green=0.5, yellow=0.2),
        "rouge_l": Band(green=0.5, yellow=0.2),
        "exercise_accuracy": Band(green=0.9, yellow=0.7),
        "exercise_exact": Band(green=0.9, yellow=0.7),
        "exercise_listed": Band(green=0.9, yellow=0.7),
        "action_top1": Band(green=0.7, yellow=0.4),
        "action_description": Band(green=0.7, yellow=0.4),
        "json_validity": Band(green=0.98, yellow=0.9),
        "json_repaired": Band(green=0.98, yellow=0.9),
        "json_schema": Band(green=0.98, yellow=0.9),
        "timeline_valid": Band(green=0.98, yellow=0.9),
        "timeline_coverage": Band(green=0.9, yellow=0.7),
        "timeline_sentiment": Band(green=0.8, yellow=0.6),
        "timeline_redundancy": Band(green=0.1, yellow=0.25, lower_is_better=True),
        "judge": Band(green=4, yellow=3),
    }


class ReportSection(Section):
    """The workbook."""

    folder: Path = Path("reports")
    """Where workbooks are put."""
    title: str = "Video-Guard evaluation"
    """Heading of the workbook."""
    bands: dict[str, Band] = Field(default_factory=_default_bands)
    """Colour thresholds by metric; a metric without one stays uncoloured."""
