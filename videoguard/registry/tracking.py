"""MLflow runs: one for each recipe's run, with settings, scores and workbook; within it, training and evaluations."""

import getpass
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import requests
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LifecycleStage, LoggedModelInput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)
from sqlalchemy.exc import SQLAlchemyError

from videoguard.errors import UnavailableError
from videoguard.registry.request import DataUsed, NewRun

_LONGEST_PARAM = 6000
"""Characters; MLflow refuses longer values."""
_DIGEST = 36
"""Characters of a data set's digest; MLflow refuses longer ones."""


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

    def open_run(self, new: NewRun, parent: str | None = None) -> str:
        """A new run, below another where `parent` names one; its id."""
        below = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent}
        made_by = {MLFLOW_USER: _user(), MLFLOW_SOURCE_NAME: "video-guard", MLFLOW_SOURCE_TYPE: "LOCAL"}
        run_id = self.start_run(new.name, new.settings, {**made_by, **new.tags, **below})
        self.log_data(run_id, new.data)
        return run_id

    def log_data(self, run_id: str, data: Sequence[DataUsed], model_id: str | None = None) -> None:
        """The splits that a run reads, and the logged model that it asks."""
        models = None if model_id is None else [LoggedModelInput(model_id)]
        if data or models:
            self.client.log_inputs(run_id, [_dataset_input(each) for each in data], models)

    def find_run(self, tags: Mapping[str, str], parent: str | None = None) -> str | None:
        """The run with these tags, and below `parent` where that is given; None where there is none."""
        wanted = {**tags, **({} if parent is None else {MLFLOW_PARENT_RUN_ID: parent})}
        rule = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in wanted.items())
        found = self.client.search_runs([self.experiment_id], rule, max_results=1)
        return str(found[0].info.run_id) if found else None

    def status_of(self, run_id: str) -> str:
        """`RUNNING`, `FINISHED`, `FAILED`."""
        return str(self.client.get_run(run_id).info.status)

    def tags_of(self, run_id: str) -> dict[str, str]:
        """The tags of a run."""
        return dict(self.client.get_run(run_id).data.tags)

    def log_metrics(
        self,
        run_id: str,
        metrics: Mapping[str, float],
        step: int = 0,
        *,
        time_ms: int | None = None,
        model_id: str | None = None,
        on: DataUsed | None = None,
    ) -> None:
        """Metrics of one step, seen at once in the page of the run.

        Args:
            run_id: of the run.
            metrics: values by name.
            step: of the training; 0 for metrics that have none.
            time_ms: when they were measured, milliseconds since 1970; now when absent.
            model_id: the logged model that they are of.
            on: the data that they were measured on.
        """
        now = time_ms or int(time.time() * 1000)
        about = {} if on is None else {"dataset_name": on.name, "dataset_digest": on.digest[:_DIGEST]}
        points = [
            Metric(name, value, now, step, model_id=model_id, run_id=run_id if model_id else None, **about)
            for name, value in metrics.items()
        ]
        self.client.log_batch(run_id, metrics=points)

    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Tags of a run."""
        self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_table(self, run_id: str, table: Mapping[str, Sequence[object]], name: str) -> None:
        """A table, by its columns, that the page shows beside those of other runs; once, where it is logged again."""
        if name not in {file.path for file in self.client.list_artifacts(run_id)}:
            self.client.log_table(run_id, pd.DataFrame(dict(table)), name)

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

    def steps_of(self, run_id: str, metric: str) -> set[int]:
        """The steps at which a run has a metric."""
        return {point.step for point in self.client.get_metric_history(run_id, metric)}

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self.client.create_experiment(name, artifact_location=self._artifacts))


def _dataset_input(used: DataUsed) -> DatasetInput:
    dataset = Dataset(
        name=used.name,
        digest=used.digest[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": used.source}),
        profile=json.dumps({"num_rows": used.rows}),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, used.context)])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return "unknown"
