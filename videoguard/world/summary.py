"""What a run of the flow `generate-world` came to."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.summary import StepAccount


class WorldSummary(BaseModel):
    """The outcome of the flow `generate-world`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    is_noise: bool
    """Whether a tiny pipeline of random weights generated: the clips are noise."""
    clips: list[Path]
    """Clips that were written, each with a `.json` beside it."""
    failed: dict[str, str]
    """Reason by the output of each clip that failed."""
    left_out: dict[str, str]
    """Reason by the file of each clip that the training could not read."""
    losses: tuple[float, float] | None
    """Of the first and the last tenth of the training; None without one."""
    registered_model: str | None
    version: str | None
    measures: dict[str, dict[str, float]]
    """Mean of each measure, by variant (`base`, `adapted`)."""
    differing: list[str]
    """Clips that came out different when they were generated once more by the same seed."""
    workbook: Path | None
    guardrail: str
    refiner: str
    steps: list[StepAccount]

    @property
    def complete(self) -> bool:
        """Whether nothing failed, was left out or came out different."""
        return not (self.failed or self.left_out or self.differing)
