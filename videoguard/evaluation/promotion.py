"""What became of a version that was put to the test, and why."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from videoguard.evaluation.comparison import PairedDifference

_FILE = "promotion.json"

Outcome = Literal["promoted", "held back", "undecided"]


class PromotionDecision(BaseModel):
    """Whether a version takes the champion's place. Undecided: it could not be tested, and is not promoted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Outcome
    model: str
    """Registered model."""
    version: str
    """The candidate."""
    against: str | None
    """Number of the version that it was tested against; None for the base model, where there was no champion."""
    reasons: list[str]
    """In sentences; where it was not promoted, what stood against it."""
    metric: str
    """The metric that had to rise."""
    tests: list[PairedDifference] = []
    """The figures of that metric and of the guards, the candidate second. P-values are not corrected: see `decide`."""

    @property
    def opponent(self) -> str:
        """What the candidate was tested against, for readers."""
        return opponent_words(self.against)

    @property
    def gain(self) -> PairedDifference | None:
        """Figures of the metric that had to rise; None where it was not compared."""
        return next((pair for pair in self.tests if pair.metric == self.metric), None)

    def facts(self) -> dict[str, str]:
        """Name and value for readers: a sheet of the workbook."""
        return {
            "Decision": self.outcome,
            "Tested against": self.opponent,
            **{f"Reason {number}": reason for number, reason in enumerate(self.reasons, start=1)},
        }

    def tags(self) -> dict[str, str]:
        """Name and value for MLflow."""
        gain = self.gain
        figures = {} if gain is None else {"difference": gain.difference, "p_value": gain.p_value, "samples": gain.n}
        return {
            "promotion.decision": self.outcome,
            "promotion.against": self.against or "base",
            "promotion.reasons": "\n".join(self.reasons),
            "promotion.metric": self.metric,
            **{f"promotion.{name}": f"{figure:.6g}" for name, figure in figures.items() if figure is not None},
        }


def opponent_words(version: str | None) -> str:
    """The champion's version, or the base model where there is no champion."""
    return "the base model, there being no champion" if version is None else f"version {version}, the champion"


def write_decision(decision: PromotionDecision, folder: Path) -> None:
    """Write `promotion.json` into a folder."""
    (folder / _FILE).write_text(decision.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_decision(folder: Path) -> PromotionDecision:
    """The decision of a folder."""
    return PromotionDecision.model_validate_json((folder / _FILE).read_bytes())
