"""The workbook."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from videoguard.config.section import Section

SheetName = Literal[
    "summary",
    "results",
    "comparison",
    "per_exercise",
    "confusion",
    "confidence",
    "samples",
    "timeline",
    "guard",
    "quality",
    "nights",
    "drift",
    "errors",
    "run",
]

SHEET_TITLES: dict[SheetName, str] = {
    "summary": "Summary",
    "results": "Results",
    "comparison": "Comparison",
    "per_exercise": "Per exercise",
    "confusion": "Confusion",
    "confidence": "Confidence",
    "samples": "Samples",
    "timeline": "Timeline",
    "guard": "Guard",
    "quality": "Quality",
    "nights": "Nights",
    "drift": "Drift",
    "errors": "Errors",
    "run": "Run",
}
"""What the sheets are called where `report.sheet_titles` does not say otherwise, in their order."""

# What Excel refuses, by https://support.microsoft.com/office/3f1f7148-ee83-404d-8ef0-9ff99fbad1f9
_LONGEST_TITLE = 31
_REFUSED = re.compile(r"[\\/?*:\[\]\x00-\x1f]")
_RESERVED = "history"
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


class SamplesSection(Section):
    """The samples that are shown with their frames."""

    worst: Annotated[int, Field(ge=0, le=100)] = 6
    """How many of the lowest scores."""
    best: Annotated[int, Field(ge=0, le=100)] = 6
    """How many of the highest scores."""
    frames: Annotated[int, Field(ge=1, le=16)] = 4
    """Frames of each, spread evenly over the stored ones."""
    ranked_by: str | None = None
    """Metric that tells worst from best; None, or one that scored nothing: the first that is more than right or wrong."""


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
    sheets: tuple[SheetName, ...] = tuple(SHEET_TITLES)
    """Sheets in their order; one that has nothing to say is left out. `errors` must stay: it tells what is in no figure."""
    sheet_titles: dict[SheetName, str] = Field(default_factory=dict)
    """Other titles of sheets, at most 31 characters each."""
    samples: SamplesSection = SamplesSection()
    """The samples that are shown with their frames."""
    html: bool = True
    """Whether a page with the same content is written beside the workbook."""

    @model_validator(mode="after")
    def _sheets_can_be_made(self) -> "ReportSection":
        if "errors" not in self.sheets:
            raise ValueError("sheets lacks errors: it tells what is in no figure, and cannot be left out")
        if len(set(self.sheets)) < len(self.sheets):
            raise ValueError(f"sheets is {', '.join(self.sheets)}: each may stand in it once")
        for name, title in self.sheet_titles.items():
            _check_title(name, title)
        titles = [title.casefold() for title in (SHEET_TITLES | self.sheet_titles).values()]
        repeated = {title for title in titles if titles.count(title) > 1}
        if repeated:
            raise ValueError(f"sheet_titles calls two sheets {min(repeated)!r}: each needs a title of its own")
        return self


def _check_title(name: str, title: str) -> None:
    rule = f"it must have 1 to {_LONGEST_TITLE} characters, none of \\ / ? * : [ ], and no ' at its start or end"
    units = len(title.encode("utf-16-le", "surrogatepass")) // 2
    if not title.strip() or units > _LONGEST_TITLE or _REFUSED.search(title) or title.strip("'") != title:
        raise ValueError(f"sheet_titles.{name} is {title!r}: {rule}")
    if title.casefold() == _RESERVED:
        raise ValueError(f"sheet_titles.{name} is {title!r}, which Excel keeps for itself: choose another")
