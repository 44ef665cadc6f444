"""What the pre-training process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config import TinyModel


class PretrainingRequest(BaseModel):
    """A tiny base model to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: TinyModel
    seed: int
    corpus: Path | None = None
    """Folder of a dataset of text alone, whose training split a text model is pre-trained on; None for the exercises."""
    workers: int
    checkpoints: Path
    """Folder of this pre-training alone, for its checkpoints while it goes on. A later attempt goes on from what it finds
    there; whoever calls removes it after the last one."""
    output: Path
    """Folder that gets the model in `model/`."""


class PretrainingReply(BaseModel):
    """What the pre-training came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: int
    clips: int
    steps: int
    last_loss: float | None
    """Mean training loss since the logged point before the last; None without training."""
