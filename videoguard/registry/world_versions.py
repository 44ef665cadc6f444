"""Registered versions of world adapters; run as a process, it registers one."""

import importlib.metadata
import json
from pathlib import Path

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from videoguard.registry.request import RegistrationReply
from videoguard.registry.tracking import Tracking, connect
from videoguard.registry.world_request import WorldRegistrationRequest

_LOADER = Path(__file__).with_name("pyfunc_world_model.py")
_REQUIREMENTS = ("video-guard", "torch", "diffusers", "transformers", "peft", "av")


def register_world_adapter(request: WorldRegistrationRequest) -> RegistrationReply:
    """Log an adapter as a model of its run and register it as a new version.

    It gets no example: a clip of a real base takes minutes.

    Raises:
        UnavailableError: MLflow does not answer.
    """
    tracking = connect(request.tracking_uri, request.experiment, request.state)
    run_id = _complete_run(tracking, request)
    mlflow.set_tracking_uri(request.tracking_uri)
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="adapter",
            python_model=str(_LOADER),
            artifacts={"adapter": str(request.training / "adapter")},
            model_config={"base": request.base, **request.model},
            signature=_signature(),
            pip_requirements=[f"{package}=={importlib.metadata.version(package)}" for package in _REQUIREMENTS],
        )
    version = mlflow.register_model(logged.model_uri, request.registered_model, tags=request.version_tags)
    return RegistrationReply(run_id=run_id, version=str(version.version))


def _signature() -> ModelSignature:
    """A table of inputs, prompts and files to write, and one of what was written."""
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, name) for name in ("input", "prompt", "output")]),
        outputs=Schema([ColSpec(DataType.string, name, required=False) for name in ("output", "error")]),
    )


def _complete_run(tracking: Tracking, request: WorldRegistrationRequest) -> str:
    """The adapter's run, made and filled now as far as it was not while the training went on."""
    known = request.run_id if request.run_id is not None and tracking.has_run(request.run_id) else None
    run_id = known or tracking.open_run(request.run)
    log = request.training / "log.jsonl"
    if known is None or not request.logged:
        for line in log.read_text(encoding="utf-8").splitlines():
            point = json.loads(line)
            tracking.log_metrics(run_id, {"loss": point["loss"]}, int(point["step"]))
    tracking.log_files(run_id, [log], "training")
    return run_id


SERVED = (WorldRegistrationRequest, lambda request, emit: register_world_adapter(request))
