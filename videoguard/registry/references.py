"""A model as a user names it: a registered version or alias, a folder with an adapter, or a base model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import FLAVOR_NAME
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from videoguard.errors import UnavailableError, UserError
from videoguard.models.preprocessing import RECORD
from videoguard.registry.tracking import CONNECTION_FAULTS

REGISTERED = "models:/"
_REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))")


@dataclass(frozen=True)
class NamedModel:
    """What a name stands for."""

    name: str
    """As the user gave it."""
    base: str
    """Folder or hub name of the base model."""
    adapter: Path | None
    """Folder of the adapter; None where the base is meant."""
    version: str | None = None
    """Number of the registered version."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of the registered version."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the run that trained it, by their flat names."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Metrics of that run, and of the recipe's run above it."""
    run_id: str = ""
    """The run that trained it; empty where MLflow does not tell."""


def find_model(name: str, tracking_uri: str, base: str | None = None) -> NamedModel:
    """What `name` stands for: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, an adapter's folder, else a base model.

    A registered adapter is fetched from where MLflow keeps it.

    Args:
        name: as the user gave it.
        tracking_uri: MLflow server or database.
        base: folder or hub name to use in place of the recorded base, such as where the recorded folder has moved.

    Raises:
        UserError: there is no such version or alias, or the registered model is not one of Video-Guard.
        UnavailableError: MLflow does not answer.
    """
    if name.startswith(REGISTERED):
        return _registered(name, tracking_uri, base)
    folder = Path(name)
    if (folder / RECORD).is_file() and not (folder / "config.json").is_file():
        return NamedModel(name, base or _recorded_base(folder), folder)
    if (folder / "adapter_config.json").is_file():
        raise UserError(
            f"model {name}: the adapter has no {RECORD}: it was not trained by Video-Guard, or the file was lost"
        )
    return NamedModel(name, base or name, None)


def version_behind(name: str, tracking_uri: str) -> str | None:
    """Number of the version that `models:/NAME@ALIAS` stands for now; None for a name that never stands for another.

    Raises:
        UserError: there is no such alias any more.
        UnavailableError: MLflow does not answer.
    """
    parts = _REFERENCE.fullmatch(name)
    if parts is None or parts.group("alias") is None:
        return None
    try:
        return str(_version(MlflowClient(tracking_uri=tracking_uri), name, parts).version)
    except CONNECTION_FAULTS as fault:
        reason = str(fault).strip().splitlines()[0]
        raise UnavailableError(f"model {name}: MLflow at {tracking_uri} does not tell its version: {reason}") from None


def _registered(name: str, tracking_uri: str, base: str | None) -> NamedModel:
    parts = _REFERENCE.fullmatch(name)
    if parts is None:
        raise UserError(f"model {name}: a registered model is named models:/NAME@ALIAS or models:/NAME/VERSION")
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        version = _version(client, name, parts)
        mlflow.set_tracking_uri(tracking_uri)
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{version.name}/{version.version}"))
        run = client.get_run(version.run_id) if version.run_id else None
        scores = {} if run is None else scores_of(client, run)
    except CONNECTION_FAULTS as fault:
        reason = str(fault).strip().splitlines()[0]
        raise UnavailableError(f"model {name}: MLflow at {tracking_uri} does not give it: {reason}") from None
    adapter = folder / "artifacts" / "adapter"
    if not (adapter / RECORD).is_file():
        raise UserError(f"model {name}: the registered model holds no adapter of Video-Guard: name another version")
    flavor = mlflow.models.Model.load(str(folder)).flavors[FLAVOR_NAME]
    return NamedModel(
        name=name,
        base=base or str(flavor["config"]["base"]),
        adapter=adapter,
        version=str(version.version),
        tags=dict(version.tags),
        settings=dict(run.data.params) if run is not None else {},
        scores=scores,
        run_id=version.run_id or "",
    )


def scores_of(client: MlflowClient, run: Run) -> dict[str, float]:
    """Metrics of the run that trained a version, and of the recipe's run above it, which has those of its test."""
    above = run.data.tags.get(MLFLOW_PARENT_RUN_ID)
    return {**({} if above is None else client.get_run(above).data.metrics), **run.data.metrics}


def _version(client: MlflowClient, name: str, parts: re.Match[str]) -> ModelVersion:
    model, number, alias = parts.group("name"), parts.group("version"), parts.group("alias")
    try:
        return client.get_model_version(model, number) if number else client.get_model_version_by_alias(model, alias)
    except MlflowException as absent:
        if absent.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
    known = [str(version.version) for version in client.search_model_versions(f"name='{model}'")]
    if not known:
        raise UserError(f"model {name}: no model {model} is registered; `video-guard run` registers one")
    aliases = sorted(client.get_registered_model(model).aliases)
    raise UserError(
        f"model {name}: {model} has the versions {', '.join(sorted(known, key=int))} "
        f"and the aliases {', '.join(aliases) or '(none)'}: name one of them"
    )


def _recorded_base(adapter: Path) -> str:
    """The base that peft wrote down when the adapter was saved."""
    from peft import PeftConfig

    recorded = PeftConfig.from_pretrained(str(adapter)).base_model_name_or_path
    if not recorded:
        raise UserError(f"adapter {adapter} does not name its base model: give it with --base")
    return str(recorded)
