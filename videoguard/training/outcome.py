"""What a training leaves: the kept adapter with its record, the log as JSON Lines and as a picture, and its figures."""

import json
import math
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from transformers import TrainerState

from videoguard.errors import UserError
from videoguard.models.preprocessing import PreprocessingRecord
from videoguard.models.reporting import rename_metrics
from videoguard.training.curves import draw_curves

ADAPTER = "adapter"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_LOG = "log.jsonl"
_NAMES = {"loss": "train_loss", "eval_loss": "validation_loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm"}


def logged_names(metric: str) -> Mapping[str, str]:
    """Our names of what the trainer logs, where the best checkpoint is chosen by `metric`."""
    return _NAMES if metric == "loss" else {**_NAMES, f"eval_{metric}": f"validation_{metric}"}


def require_finite(state: TrainerState, learning_rate: float) -> None:
    """Refuse a training that had no finite validation loss.

    Raises:
        UserError: it diverged from its start.
    """
    if not any(math.isfinite(entry["eval_loss"]) for entry in state.log_history if "eval_loss" in entry):
        raise UserError(
            f"training.learning_rate is {learning_rate}: the training diverged, no validation loss is finite; lower it"
        )


def write_adapter(checkpoint: Path, record: PreprocessingRecord, folder: Path) -> None:
    """Copy the adapter of a checkpoint, with its preprocessing record."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ADAPTER_FILES:
        shutil.copyfile(checkpoint / name, folder / name)
    record.save(folder)


def write_log(state: TrainerState, metric: str, folder: Path) -> None:
    """Every logged point as JSON Lines, and as a picture."""
    named = [(entry["step"], rename_metrics(entry, logged_names(metric))) for entry in state.log_history]
    points = [{"step": step, **metrics} for step, metrics in named if metrics]
    with (folder / _LOG).open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(point) + "\n" for point in points)
    draw_curves(points, state.best_global_step, folder / "curves.png")


def mean_loss(state: TrainerState) -> float:
    """Mean training loss over all steps: each logged point is the mean over the steps since the point before."""
    points = [(0, 0.0), *((entry["step"], entry["loss"]) for entry in state.log_history if "loss" in entry)]
    return sum((step - before) * loss for (before, _), (step, loss) in pairwise(points)) / points[-1][0]


def best_validation_loss(state: TrainerState) -> float | None:
    """Validation loss of the kept adapter; None without validation."""
    losses: dict[float | None, float] = {
        entry["step"]: entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry
    }
    return losses.get(state.best_global_step)
