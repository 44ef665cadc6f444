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
    guardrail: str
    refiner: str
    steps: list[StepAccount]

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return not self.failed
