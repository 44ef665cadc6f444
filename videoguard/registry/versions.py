"""Registered versions of adapters."""

import importlib.metadata
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from videoguard.dataset.messages import PromptTemplates
from videoguard.exercises.catalogue import CLASSES, QUESTION
from videoguard.exercises.rendering import render_frames
from videoguard.exercises.video import write_video
from videoguard.models.preprocessing import read_record
from videoguard.registry.request import RegistrationReply, RegistrationRequest
from videoguard.registry.tracking import Tracking, connect

_LOADER = Path(__file__).with_name("pyfunc_model.py")
_REQUIREMENTS = ("video-guard", "torch", "torchvision", "transformers", "peft", "av")
HOW_LOADED = ("dtype", "quantization", "attention")
MOST_MB = 256.0
"""Largest video that the registered model takes as bytes, MiB: what the service takes."""
_EXAMPLE_FPS, _EXAMPLE_SECONDS, _EXAMPLE_SIZE = 12, 2.0, 96


def register_adapter(request: RegistrationRequest) -> RegistrationReply:
    """Log an adapter as a model of its run, with its preprocessing record, and register it as a new version.

    MLflow loads the logged model once and answers an example with it, so that a version that cannot answer is noticed.
    The example is a made video, or a question of our own: nobody's data goes into the registry.

    Raises:
        UnavailableError: MLflow does not answer.
    """
    tracking = connect(request.tracking_uri, request.experiment, request.state)
    run_id, parent_run_id = complete_run(tracking, request)
    mlflow.set_tracking_uri(request.tracking_uri)
    record = read_record(request.training / "adapter")
    named = PromptTemplates(record.system_prompt, record.question).lacking({"question": QUESTION})
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_id=run_id):
        example = None if record.text_only else _example_video(Path(folder))
        files = {} if example is None else {"example": str(example)}
        shown = {} if example is None else {"video": [str(example)]}
        logged = mlflow.pyfunc.log_model(
            name="adapter",
            python_model=str(_LOADER),
            artifacts={"adapter": str(request.training / "adapter"), **files},
            model_config={"base": request.base, "most_mb": MOST_MB, **_how_loaded(request)},
            signature=_signature(named, shows=not record.text_only),
            input_example=pd.DataFrame({**shown, "question": [QUESTION], **{name: [name] for name in named}}),
            pip_requirements=[f"{package}=={importlib.metadata.version(package)}" for package in _REQUIREMENTS],
        )
    version = mlflow.register_model(logged.model_uri, request.registered_model, tags=request.version_tags)
    return RegistrationReply(
        run_id=run_id, parent_run_id=parent_run_id, model_id=logged.model_id, version=str(version.version)
    )


def _how_loaded(request: RegistrationRequest) -> dict[str, str]:
    """How the recipe loaded the weights of the base."""
    return {name: str(value) for name in HOW_LOADED if (value := request.run.settings.get(f"model.{name}")) is not None}


def complete_run(tracking: Tracking, request: RegistrationRequest) -> tuple[str, str]:
    """The training's run and the recipe's above it, made and filled now as far as they were not during the training."""
    parent_run_id = _existing(tracking, request.parent_run_id) or tracking.open_run(request.parent)
    known = _existing(tracking, request.run_id)
    run_id = known or tracking.open_run(request.run, parent_run_id)
    if parent_run_id != request.parent_run_id:
        tracking.log_tags(run_id, {MLFLOW_PARENT_RUN_ID: parent_run_id})
    log = request.training / "log.jsonl"
    if known is None or not request.logged:
        send_log(tracking, run_id, log)
    tracking.log_files(run_id, [request.training / "curves.png", log], "training")
    return run_id, parent_run_id


def send_log(tracking: Tracking, run_id: str, log: Path) -> None:
    """Send the metrics of a training's log, but for those that the run has."""
    there: dict[str, set[int]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        metrics = json.loads(line)
        step = int(metrics.pop("step"))
        for name in metrics.keys() - there.keys():
            there[name] = tracking.steps_of(run_id, name)
        missing = {name: value for name, value in metrics.items() if step not in there[name]}
        if missing:
            tracking.log_metrics(run_id, missing, step)


def _existing(tracking: Tracking, run_id: str | None) -> str | None:
    return run_id if run_id is not None and tracking.has_run(run_id) else None


def _example_video(folder: Path) -> Path:
    path = folder / "example.mp4"
    exercise, form = CLASSES[0]
    indexes = range(round(_EXAMPLE_SECONDS * _EXAMPLE_FPS))
    frames = render_frames(
        exercise, form, "example", indexes, size=_EXAMPLE_SIZE, seconds=_EXAMPLE_SECONDS, fps=_EXAMPLE_FPS
    )
    write_video(path, frames, _EXAMPLE_FPS)
    return path


def _signature(named: Sequence[str], *, shows: bool) -> ModelSignature:
    """A table of questions and what is shown with them, with a column for each value that the prompts name."""
    # A row has one of the two, which a signature cannot tell.
    shown = {"video": DataType.string, "video_bytes": DataType.binary} if shows else {}
    columns = [ColSpec(kind, name, required=False) for name, kind in {**shown, "question": DataType.string}.items()]
    return ModelSignature(
        inputs=Schema([*columns, *(ColSpec(DataType.string, name) for name in named)]),
        outputs=Schema([ColSpec(DataType.string, "answer"), ColSpec(DataType.string, "error", required=False)]),
    )
