"""What the training process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config import FramesSection, TrainingSection


class TrainingRequest(BaseModel):
    """One training run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    """Folder or hub name of the base model."""
    base_name: str
    """Name of the base model in the preprocessing record; differs from `base` where the run built it."""
    revision: str | None
    dtype: str
    dataset: Path
    frame_store: Path
    frames: FramesSection
    """The sampling rule that the frame store was made by."""
    system_prompt: str | None
    question: str | None
    training: TrainingSection
    seed: int
    checkpoints: Path
    """Folder for checkpoints while the training goes on."""
    output: Path
    """Folder that gets the adapter, its preprocessing record, `log.jsonl` and `curves.png`."""


class TrainingReply(BaseModel):
    """What a training run came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int
    examples: int
    seconds: float
    train_loss: float
    best_step: int | None
    """Step of the kept adapter, where there is a validation split."""
    best_validation_loss: float | None
    trainable_parameters: int
    total_parameters: int
