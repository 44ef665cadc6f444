"""What a run came to, as the command line prints it and the flow returns it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.evaluation.scores import MetricSummary


class RunSummary(BaseModel):
    """The outcome of the flow `train-eval`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    workbook: Path
    tracking_uri: str
    run_id: str
    """MLflow run of the adapter."""
    registered_model: str
    version: str
    rows: dict[str, int]
    """Samples by split."""
    scores: dict[str, dict[str, MetricSummary]]
    """By model (`base`, `fine_tuned`), then by metric."""
    quarantine: dict[str, str]
    """Reason by video that was left out."""
    problems: list[str]
    """Manifest rows that could not be read."""
    failed_rows: int
    """Answers that failed, over all models."""

    @property
    def complete(self) -> bool:
        """Whether nothing failed and nothing was left out."""
        return not (self.quarantine or self.problems or self.failed_rows)
