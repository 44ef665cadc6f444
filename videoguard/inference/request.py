"""What the inference process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config import FramesSection, InferenceSection


class InferenceRequest(BaseModel):
    """Answers wanted of one model on the test split of one dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    base_name: str
    revision: str | None
    dtype: str
    adapter: Path | None
    """Adapter folder with its preprocessing record; None for the base model itself."""
    dataset: Path
    frame_store: Path
    frames: FramesSection
    system_prompt: str | None
    question: str | None
    inference: InferenceSection
    output: Path
    """Folder that gets `rows.jsonl`."""


class InferenceReply(BaseModel):
    """What an inference run came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    failed: int
    seconds: float
    new_tokens: int
