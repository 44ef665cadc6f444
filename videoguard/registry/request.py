"""What the registration process is asked, and what it answers."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class DataUsed(BaseModel):
    """A split that a run reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Data set and split: `quickstart/train`."""
    digest: str
    """Of its content; MLflow keeps the first 36 characters."""
    source: str
    """Folder of its rows."""
    rows: int
    context: Literal["training", "validation", "testing", "evaluation"]
    """What it is read for."""


class NewRun(BaseModel):
    """A run of MLflow to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    settings: dict[str, object]
    """Its parameters, by their dotted names."""
    tags: dict[str, str]
    data: tuple[DataUsed, ...] = ()


class RegistrationRequest(BaseModel):
    """A trained adapter to register."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str
    experiment: str
    state: Path
    run_id: str | None
    """MLflow run that showed the training; None where MLflow did not answer then, and a run is made now."""
    parent_run_id: str | None
    """The run that it is a part of."""
    parent: NewRun
    """The run of the whole recipe, where it is made now."""
    run: NewRun
    """The run of the training, where it is made now."""
    training: Path
    """Folder of the training step: the adapter, its log and its curves."""
    logged: bool
    """Whether the run has all metrics of the training."""
    registered_model: str
    base: str
    """Absolute folder or hub name of the base model, which is referenced and not copied."""
    version_tags: dict[str, str]


class RegistrationReply(BaseModel):
    """The version that was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    """Of the training."""
    parent_run_id: str | None = None
    """Of the whole recipe."""
    model_id: str | None = None
    """Of the logged model, to which scores are linked."""
    version: str
