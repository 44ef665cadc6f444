"""What the registration process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class RegistrationRequest(BaseModel):
    """A trained adapter to register."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str
    experiment: str
    state: Path
    run_id: str | None
    """MLflow run that showed the training; None where MLflow did not answer then, and a run is made now."""
    run_name: str
    run_tags: dict[str, str]
    settings: dict[str, object]
    """Parameters of a run that is made now, by their dotted names."""
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
    version: str
