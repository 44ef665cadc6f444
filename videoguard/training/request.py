"""What the training process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config import AugmentationSection, FramesSection, TrainingSection


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
    frame_store: Path | None
    """Folder of the index of the stored frames; None where the dataset is text alone."""
    frame_shards: tuple[Path, ...]
    """Folders of the shards of the stored frames, in their order."""
    frames: FramesSection
    """The sampling rule that the frame store was made by."""
    system_prompt: str | None
    question: str | None
    training: TrainingSection
    augmentation: AugmentationSection | None = None
    """Changed copies of the training split; None for none."""
    seed: int
    checkpoints: Path
    """Folder of this training alone, for its checkpoints while it goes on. A later attempt goes on from what it finds there;
    whoever calls removes it after the last one."""
    output: Path
    """Folder that gets the adapter, its preprocessing record, `log.jsonl` and `curves.png`."""


class TrainingReply(BaseModel):
    """What a training run came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int
    examples: int
    seconds: float
    """Wall time of the steps of the last attempt."""
    resumed_from: int | None
    """Step of the checkpoint from which the last attempt went on."""
    train_loss: float
    """Mean over all steps."""
    best_step: int | None
    """Step of the kept adapter, where there is a validation split."""
    best_validation_loss: float | None
    trainable_parameters: int
    total_parameters: int
