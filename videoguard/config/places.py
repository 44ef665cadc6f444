"""Where a run keeps its state, and where its models are registered."""

from pathlib import Path

from videoguard.config.promotion import PromotionSection
from videoguard.config.section import Section


class RegistrySection(Section):
    """MLflow."""

    tracking_uri: str | None = None
    """MLflow server or database; a SQLite file in the state folder when absent."""
    experiment: str = "video-guard"
    """Experiment that the runs belong to."""
    registered_model: str = "video-guard"
    """Name under which adapters are registered."""
    promotion: PromotionSection | None = PromotionSection()
    """When a version becomes champion; `null`, versions are only registered."""

    def uri(self, state: Path) -> str:
        """The MLflow server or database that is meant, with a SQLite file in the folder `state` as the default."""
        return self.tracking_uri or f"sqlite:///{(state / 'mlflow.db').absolute()}"


class ExecutionSection(Section):
    """Where the run keeps its state."""

    state: Path = Path(".video-guard")
    """Folder of artifacts, MLflow and Prefect."""
    store: str | None = None
    """Folder or fsspec URL (`s3://bucket/folder`) of artifacts that a team shares; the state folder then caches it."""
