"""Registered versions of adapters."""

import importlib.metadata
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from videoguard.registry.request import RegistrationReply, RegistrationRequest

_LOADER = Path(__file__).with_name("pyfunc_model.py")
_REQUIREMENTS = ("video-guard", "torch", "torchvision", "transformers", "peft", "decord")


def register_adapter(request: RegistrationRequest) -> RegistrationReply:
    """Log an adapter as a model of its run, with its preprocessing record, and register it as a new version.

    MLflow loads the logged model once and answers the example with it, so that a version that cannot answer is noticed.
    """
    mlflow.set_tracking_uri(request.tracking_uri)
    example = pd.DataFrame({"video": [str(request.example_video)], "question": [request.example_question]})
    with mlflow.start_run(run_id=request.run_id):
        logged = mlflow.pyfunc.log_model(
            name="adapter",
            python_model=str(_LOADER),
            artifacts={"adapter": str(request.adapter)},
            model_config={"base": request.base},
            signature=_signature(),
            input_example=example,
            pip_requirements=[f"{package}=={importlib.metadata.version(package)}" for package in _REQUIREMENTS],
        )
    version = mlflow.register_model(logged.model_uri, request.registered_model, tags=request.tags)
    return RegistrationReply(version=str(version.version))


def _signature() -> ModelSignature:
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "video"), ColSpec(DataType.string, "question", required=False)]),
        outputs=Schema([ColSpec(DataType.string, "answer"), ColSpec(DataType.string, "error", required=False)]),
    )
