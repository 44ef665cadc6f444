"""What the pre-training process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config import TinyModel


class PretrainingRequest(BaseModel):
    """A tiny base model to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: TinyModel
    seed: int
    workers: int
    output: Path
    """Folder that gets the model in `model/`."""


class PretrainingReply(BaseModel):
    """What the pre-training came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: int
    clips: int
    steps: int
    last_loss: float | None
