"""MLflow runs: one for each trained adapter, with its settings, curves, scores and workbook."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from sqlalchemy.exc import SQLAlchemyError

from videoguard.errors import UnavailableError

_LONGEST_PARAM = 6000
"""Characters; MLflow refuses longer values."""


CONNECTION_FAULTS = (MlflowException, SQLAlchemyError, requests.RequestException, OSError)


def connect(uri: str, experiment: str, state: Path) -> "Tracking":
    """The experiment, where MLflow answers.

    Raises:
        UnavailableError: it does not.
    """
    try:
        return Tracking(uri, experiment, state)
    except CONNECTION_FAULTS as fault:
        reason = str(fault).strip().splitlines()[0]
        raise UnavailableError(
            f"MLflow at {uri} does not answer: {reason}; what was made is stored: run the same command again once it answers"
        ) from None


class Tracking:
    """The experiment of a project, on an MLflow server or in a database."""

    def __init__(self, uri: str, experiment: str, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.uri = uri
        self.client = MlflowClient(tracking_uri=uri)
        # A server decides itself where artifacts go; with a bare database they would land in the working folder.
        self._artifacts = (state / "mlartifacts").absolute().as_uri() if uri.startswith("sqlite:") else None
        self.experiment_id = self._experiment(experiment)

    def start_run(self, name: str, settings: Mapping[str, object], tags: Mapping[str, str]) -> str:
        """A new run with its settings as parameters; its id."""
        run = self.client.create_run(self.experiment_id, run_name=name, tags=dict(tags))
        params = [Param(key, str(value)[:_LONGEST_PARAM]) for key, value in settings.items()]
        self.client.log_batch(run.info.run_id, params=params)
        return str(run.info.run_id)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
        """Metrics of one step, seen at once in the page of the run."""
        now = int(time.time() * 1000)
        self.client.log_batch(run_id, metrics=[Metric(name, value, now, step) for name, value in metrics.items()])

    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Tags of a run."""
        self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_files(self, run_id: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Files as artifacts of a run."""
        for file in files:
            self.client.log_artifact(run_id, str(file), folder)

    def has_run(self, run_id: str) -> bool:
        """Whether a run is known and not deleted."""
        try:
            return bool(self.client.get_run(run_id).info.lifecycle_stage == LifecycleStage.ACTIVE)
        except MlflowException as absent:
            if absent.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                return False
            raise

    def reopen(self, run_id: str) -> None:
        """Mark a run as going on."""
        self.client.update_run(run_id, status="RUNNING")

    def finish(self, run_id: str, *, succeeded: bool) -> None:
        """Mark a run as finished or failed."""
        self.client.set_terminated(run_id, "FINISHED" if succeeded else "FAILED")

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self.client.create_experiment(name, artifact_location=self._artifacts))
