"""What a comparison of models on the same samples found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

_FILE = "comparison.json"

Verdict = Literal["better", "worse", "no difference shown"]


class PairedDifference(BaseModel):
    """One metric of two models, over the samples that both have scored.

    The difference is the second model's mean minus the first's. `better` and `worse` follow the metric: of one where lower
    is better, such as redundancy, a lower score is better.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    first: str
    """Name of the model that is compared with."""
    second: str
    n: int
    """Samples that both models have a score of."""
    unscored: int
    """Samples that are left out, because one of the models or both have no score of them."""
    first_mean: float | None = None
    """Over the `n` samples, as are all figures here; None where there is none."""
    second_mean: float | None = None
    difference: float | None = None
    ci_low: float | None = None
    """95 % paired bootstrap, resampled by source video; None where the samples are of one video."""
    ci_high: float | None = None
    better: int = 0
    """Samples where the second model is better."""
    equal: int = 0
    worse: int = 0
    test: Literal["McNemar, exact", "paired bootstrap"] | None = None
    """McNemar for yes/no metrics where each sample is a source video of its own, else the bootstrap; None for neither."""
    p_value: float | None = None
    """Two-sided, of no difference."""
    p_corrected: float | None = None
    """Holm's correction over every test of the comparison."""
    verdict: Verdict | None = None
    """Of the second model, by the corrected p-value and the comparison's `alpha`; None where nothing could be tested."""


class ChangedSample(BaseModel):
    """A sample whose score changed between two models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    metric: str
    first: str
    second: str
    first_score: float
    second_score: float

    @property
    def change(self) -> float:
        """Second score minus first."""
        return self.second_score - self.first_score


class Comparison(BaseModel):
    """Two or more models on the same samples, pair by pair."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: list[str]
    """In the order in which they were given; the first is the one to compare with."""
    samples: int
    """Samples that every model was asked about."""
    left_out: dict[str, int] = {}
    """By model, samples that it has and another model lacks: they are in no figure."""
    pairs: list[PairedDifference]
    """Pair by pair (first with each other one, second with each later one), and metric by metric within a pair."""
    changed: list[ChangedSample] = []
    """The samples that changed most, pair by pair and metric by metric: those that got worse first, the worst first."""
    alpha: float = 0.05
    tests: int = 0
    """How many tests the p-values are corrected for."""
    partial: str | None = None
    """Why the figures are not for comparison; None where every model answered all samples."""

    def pair(self, first: str, second: str, metric: str) -> PairedDifference | None:
        """The figures of one metric of two models; None where they were not compared by it."""
        wanted = (first, second, metric)
        return next((pair for pair in self.pairs if (pair.first, pair.second, pair.metric) == wanted), None)

    def renamed(self, names: Mapping[str, str]) -> "Comparison":
        """The same comparison, with other names of the models."""

        def of_both(compared: PairedDifference | ChangedSample) -> dict[str, str]:
            return {"first": names[compared.first], "second": names[compared.second]}

        return self.model_copy(
            update={
                "models": [names[name] for name in self.models],
                "left_out": {names[name]: number for name, number in self.left_out.items()},
                "pairs": [pair.model_copy(update=of_both(pair)) for pair in self.pairs],
                "changed": [sample.model_copy(update=of_both(sample)) for sample in self.changed],
            }
        )


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write `comparison.json` into a folder."""
    (folder / _FILE).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_comparison(folder: Path) -> Comparison:
    """The comparison of a folder."""
    return Comparison.model_validate_json((folder / _FILE).read_bytes())


def flatten_pairs(comparison: Comparison) -> dict[str, float]:
    """Figures of every pair for a tracker of numbers: `comparison.meteor.difference`.

    Of three or more models the pair stands in place of the first word: `base.fine_tuned.meteor.difference`.
    """
    flat: dict[str, float] = {}
    for pair in comparison.pairs:
        prefix = f"comparison.{pair.metric}" if len(comparison.models) == 2 else f"{pair.first}.{pair.second}.{pair.metric}"
        figures = {
            "difference": pair.difference,
            "p_value": pair.p_value,
            "p_corrected": pair.p_corrected,
            "better": pair.better,
            "equal": pair.equal,
            "worse": pair.worse,
        }
        flat |= {f"{prefix}.{name}": float(figure) for name, figure in figures.items() if figure is not None}
    return flat
