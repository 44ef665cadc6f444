"""What the training process is asked, and what it tells."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config.world import GenerationSection, WorldTraining

ADAPTER, LOG = "adapter", "log.jsonl"


class TrainingExample(BaseModel):
    """A clip to learn from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: Path
    prompt: str


class WorldTrainingRequest(BaseModel):
    """An adapter to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Path
    dtype: str
    generation: GenerationSection
    """Size, frames and condition frames of the clips."""
    training: WorldTraining
    seed: int
    examples: tuple[TrainingExample, ...]
    checkpoints: Path
    output: Path


class WorldTrainingReply(BaseModel):
    """What the training came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: int
    """Clips that were learnt from."""
    left_out: dict[str, str]
    """Reason of each clip that could not be read, by its file."""
    steps: int
    first_loss: float
    """Mean over the first tenth of the steps."""
    last_loss: float
    """Mean over the last tenth of the steps."""
    trainable_parameters: int
    base_parameters: int
    resumed_from: int | None
    seconds: float
