"""Training with a smaller batch where the wanted one does not fit into memory: the same step, in more passes."""

import contextlib
import gc
import json
import sys
from collections.abc import Callable

from videoguard.errors import UserError
from videoguard.subprocesses import Emit, MemoryExhaustedError
from videoguard.training.request import TrainingReply, TrainingRequest

_FITTING = "batch.json"


def train_within_memory(
    request: TrainingRequest, emit: Emit, attempt: Callable[[TrainingRequest, Emit], TrainingReply]
) -> TrainingReply:
    """Train by `attempt`; after each `MemoryExhaustedError` again, with half the batch and twice the accumulation.

    A step sees the same examples as before. The attempt goes on from the last whole checkpoint. What fitted is noted in the
    folder of the checkpoints, so that a training that is started again does not exhaust the memory once more.

    Raises:
        UserError: a batch of one example does not fit either.
    """
    request = _with_fitting_batch(request)
    while True:
        with contextlib.suppress(MemoryExhaustedError):
            return attempt(request, emit)
        # Only here are the frames gone that held the model of the failed attempt.
        _free_memory()
        before = request.training.batch_size
        request = _halve(request)
        after = request.training
        note = f"out of memory with batches of {before}: now {after.batch_size}, accumulated {after.accumulation} times"
        emit({"step": 0, "of": 0, "metrics": {}, "note": note})


def _halve(request: TrainingRequest) -> TrainingRequest:
    """At most half the batch, so that batch × accumulation stays what it was; noted for the next start."""
    training = request.training
    size = training.batch_size
    if size == 1:
        raise UserError(
            "training.batch_size is 1 and does not fit into memory: take fewer or smaller frames (frames.count, "
            "frames.max_side), training.gradient_checkpointing, model.quantization or a smaller model"
        )
    smaller = next(part for part in range(size // 2, 0, -1) if size % part == 0)
    fitting = {"batch_size": smaller, "accumulation": training.accumulation * (size // smaller)}
    request.checkpoints.mkdir(parents=True, exist_ok=True)
    written = request.checkpoints / f".{_FITTING}"
    written.write_text(json.dumps(fitting), encoding="utf-8")
    written.replace(request.checkpoints / _FITTING)
    return request.model_copy(update={"training": training.model_copy(update=fitting)})


def _with_fitting_batch(request: TrainingRequest) -> TrainingRequest:
    note = request.checkpoints / _FITTING
    if not note.is_file():
        return request
    fitting = json.loads(note.read_text(encoding="utf-8"))
    return request.model_copy(update={"training": request.training.model_copy(update=fitting)})


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
