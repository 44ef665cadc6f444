"""What the registration process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class RegistrationRequest(BaseModel):
    """An adapter to register."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str
    run_id: str
    """MLflow run that trained it."""
    registered_model: str
    adapter: Path
    base: str
    """Absolute folder or hub name of the base model, which is referenced and not copied."""
    example_video: Path
    example_question: str
    tags: dict[str, str]


class RegistrationReply(BaseModel):
    """The version that was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
