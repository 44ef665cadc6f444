"""What the training process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from videoguard.config import AugmentationSection, FramesSection, MetricName, TrainingSection


class Scoring(BaseModel):
    """How answers to the validation split are generated and scored during a training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: MetricName
    samples: int
    """Rows that are answered at each evaluation."""
    batch_size: int
    max_new_tokens: int
    sentence_model: str
    state: Path
    """State folder, where WordNet is."""
    answer_schema: dict[str, JsonValue] | None = None
    """What `json_schema` asks of an answer."""


class TrainingRequest(BaseModel):
    """One training run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    """Folder or hub name of the base model."""
    base_name: str
    """Name of the base model in the preprocessing record; differs from `base` where the run built it."""
    revision: str | None
    dtype: str
    quantization: str = "none"
    attention: str = "auto"
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
    scoring: Scoring | None = None
    """How answers are scored where the best checkpoint is chosen by them; None where it is chosen by its loss."""
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
    """Optimizer steps that were taken."""
    examples: int
    sequences: int = 0
    """Sequences that the examples were packed into; 0 where each is one."""
    seconds: float
    """Wall time of the steps of the last attempt, with validation and checkpoints."""
    resumed_from: int | None
    """Step of the checkpoint from which the last attempt went on."""
    stopped_early: bool = False
    """Whether `patience` ended the training."""
    train_loss: float
    """Mean over all steps."""
    best_step: int | None
    """Step of the kept adapter, where there is a validation split."""
    best_validation_loss: float | None
    """Of the kept adapter."""
    best_score: float | None = None
    """Of the kept adapter, where it was chosen by a metric."""
    trainable_parameters: int
    total_parameters: int
    batch_size: int = 0
    """Of one forward pass of one process, in the end: smaller than asked for where that did not fit into memory."""
    accumulation: int = 0
    """Forward passes of a step, in the end."""
    processes: int = 1
    engine: str = "one process"
    """What kept the processes together."""
    optimizer: str = "adamw"
    """The one that was used."""
    tokens_per_second: float | None = None
    """Of all processes, over the steps of the last attempt, without validation and checkpoints; None where it took none."""
    samples_per_second: float | None = None
    memory_gb: float | None = None
    """Most memory that the first process held, GB of 10⁹ bytes."""
    gpu_memory_gb: float | None = None
    """Most that it held on its GPU, where it has one."""
    mfu: float | None = None
    """Model FLOPs utilization of the GPUs, where they are known."""
