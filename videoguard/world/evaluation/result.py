"""`evaluation.json`: the measures of all clips of a run."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.world.evaluation.measures import ClipMeasures

FILE = "evaluation.json"


class MeasuredClip(BaseModel):
    """A clip and its measures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: str
    variant: str
    measures: ClipMeasures


class WorldEvaluationResult(BaseModel):
    """Measures of all clips of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: tuple[MeasuredClip, ...]
    repeated: int
    """Clips that were generated once more by the same seed."""
    differing: tuple[str, ...]
    """Outputs of those that came out different."""

    def mean(self, variant: str, measure: str) -> float | None:
        """Mean of a measure over the clips of a variant; None where it has none."""
        values = [getattr(clip.measures, measure) for clip in self.clips if clip.variant == variant]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None


def read_result(folder: Path) -> WorldEvaluationResult:
    """The evaluation of an artifact's folder."""
    return WorldEvaluationResult.model_validate_json((folder / FILE).read_bytes())
