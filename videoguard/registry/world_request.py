"""What the registration of a world adapter is asked."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.registry.request import NewRun


class WorldRegistrationRequest(BaseModel):
    """A trained adapter of a world model to register."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str
    experiment: str
    state: Path
    run_id: str | None
    """MLflow run that showed the training; None where MLflow did not answer then, and a run is made now."""
    run: NewRun
    """The run, where it is made now."""
    training: Path
    """Folder of the training step: the adapter and its log."""
    logged: bool
    """Whether the run has all metrics of the training."""
    registered_model: str
    base: str
    """Absolute folder of the base, which is referenced and not copied."""
    model: dict[str, object]
    """How the pipeline is loaded and how it generates: dtype, generation, guardrail, refiner, refiner_model."""
    version_tags: dict[str, str]
