"""What the inference process is asked, and what it answers."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

from videoguard.config import FramesSection, InferenceSection


class InferenceRequest(BaseModel):
    """Answers wanted of one model on the test split of one dataset, or on one shard of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    base_name: str
    revision: str | None
    dtype: str
    quantization: str = "none"
    attention: str = "auto"
    adapter: Path | None
    """Adapter folder with its preprocessing record; None for the base model itself."""
    dataset: Path
    frame_store: Path | None
    """Folder of the index of the stored frames; None where the dataset is text alone."""
    frame_shards: tuple[Path, ...]
    """Folders of the shards of the stored frames, in their order."""
    frames: FramesSection
    system_prompt: str | None
    question: str | None
    inference: InferenceSection
    answer_schema: dict[str, JsonValue] | None = None
    """JSON Schema of answers that are JSON; None where they are text."""
    shard: int = 0
    """Which of the shards, counted from 0."""
    shards: int = 1
    """Parts that the split is cut into by video content: all rows of a video are in one."""
    row_store: Path
    """File of the answers of all runs: what stands there is not asked again, and what is answered is added."""
    since: datetime | None = None
    """Stored answers that are older are asked again."""
    output: Path
    """Folder that gets `rows.jsonl`, in the order of the split."""

    @model_validator(mode="after")
    def _shard_exists(self) -> "InferenceRequest":
        if not 0 <= self.shard < self.shards:
            raise ValueError(f"shard {self.shard} of {self.shards}: it must be at least 0 and below the number of shards")
        return self


class InferenceReply(BaseModel):
    """What an inference run came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    failed: int
    repaired: int = 0
    """Rows whose answer was mended."""
    computed: int
    """Rows that the last attempt made; the others were kept from attempts before."""
    seconds: float
    """Wall time of all batches, of whichever attempt."""
    new_tokens: int
