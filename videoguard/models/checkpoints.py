"""Checkpoints of a running training that a kill at any instant leaves usable.

The trainer does not save atomically, and goes on from a half-written checkpoint without complaint, with other weights. So a
checkpoint counts only with its manifest, which is written last and names every file with its size and digest; no older
one is removed before that. Where several processes train together, each writes its part and the first one completes it.
"""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from videoguard.artifacts.flushing import flush
from videoguard.artifacts.records import FileRecord, record_files

MANIFEST = "manifest.json"
_PREFIX = "checkpoint-"

Emit = Callable[[dict[str, object]], None]


class Layout(BaseModel):
    """Which processes wrote a checkpoint: others would find no state of their own in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    processes: int = 1
    deepspeed: bool = False


ALONE = Layout()


class CheckpointManifest(BaseModel):
    """What a whole checkpoint holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    step: int
    best_step: int | None
    """Step with the best validation so far, whose checkpoint is kept too; None without validation."""
    layout: Layout = ALONE
    files: dict[str, FileRecord]
    """Every file of the checkpoint but this one, by relative path."""


class CheckpointKeeper(TrainerCallback):
    """Completes each checkpoint with its manifest, then removes all but the newest and the best.

    Args:
        newest: how many of the newest are kept.
    """

    def __init__(self, newest: int = 2) -> None:
        self._newest = newest

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Log at every checkpoint: the loss since the last logged point is not saved, so no point may span a resume."""
        if control.should_save:
            control.should_log = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Make the checkpoint of this step count, once every process has written its part."""
        _wait_for_all()
        if args.process_index:
            return
        folder = Path(str(args.output_dir))
        checkpoint = checkpoint_at(folder, state.global_step)
        _write_manifest(checkpoint, state.best_global_step, layout_of(args))
        older = sorted(_checkpoints(folder), key=step_of)[: -self._newest]
        best = state.best_global_step
        _remove(found for found in older if step_of(found) != best)


def train_to_the_end(
    trainer: Trainer, emit: Emit, is_over: Callable[[TrainerState], bool] = lambda state: False
) -> tuple[Path, int | None]:
    """Train until `max_steps` from the newest whole checkpoint; return the last one, and the step of the one gone on from.

    What was saved and is not whole, or was written by other processes, is removed first. Afterwards the last checkpoint and
    the best are whole in the trainer's `output_dir`. The same settings, data, seed and number of threads give the weights of
    an undisturbed training.

    The trainer resumes an adapter by itself. A whole model must already have the weights of `newest_whole_checkpoint`.

    Args:
        trainer: it saves by steps, has no limit of checkpoints and has a `CheckpointKeeper` among its callbacks.
        emit: called with `{"step", "of", "metrics", "note"}` where the training goes on from a checkpoint.
        is_over: whether a training in this state had ended, before its last step.
    """
    folder, steps = Path(str(trainer.args.output_dir)), trainer.args.max_steps
    step = _agree(trainer.args, folder)
    if step is None:
        trainer.train()
        return checkpoint_at(folder, trainer.state.global_step), None
    resumed = checkpoint_at(folder, step)
    emit({"step": step, "of": steps, "metrics": {}, "note": f"resumed from step {step}"})
    # Asked to go on from its last step within an epoch, the trainer would take one step more.
    if step == steps or is_over(read_state(resumed)):
        return resumed, step
    trainer.train(resume_from_checkpoint=str(resumed))
    return checkpoint_at(folder, trainer.state.global_step), step


def layout_of(args: TrainingArguments) -> Layout:
    """Which processes a training has."""
    return Layout(processes=args.world_size, deepspeed=args.deepspeed is not None)


def _agree(args: TrainingArguments, folder: Path) -> int | None:
    """Step to go on from, as the first process finds it; what all others find in the folder is what that one left."""
    found: list[int | None] = [None]
    if args.process_index == 0:
        resumed = newest_whole_checkpoint(folder, layout_of(args))
        keep_only(folder, resumed)
        found = [None if resumed is None else step_of(resumed)]
    if args.world_size > 1:
        torch.distributed.broadcast_object_list(found, src=0)
    return found[0]


def _wait_for_all() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def newest_whole_checkpoint(folder: Path, layout: Layout = ALONE) -> Path | None:
    """The checkpoint of the highest step that a training can go on from; None where there is none.

    All files of its manifest are there with their digests, and so are those of the best checkpoint that it refers to. One
    that other processes wrote does not count: the trainer would go on from it without the state that it lacks.
    """
    for checkpoint in sorted(_checkpoints(folder), key=step_of, reverse=True):
        manifest = _read_whole(checkpoint)
        if manifest is None or manifest.layout != layout:
            continue
        best = manifest.best_step
        if best in (None, manifest.step) or _read_whole(checkpoint_at(folder, best)) is not None:
            return checkpoint
    return None


def keep_only(folder: Path, checkpoint: Path | None) -> None:
    """Remove every checkpoint of a folder but `checkpoint` and the best one that it refers to."""
    kept: set[int | None] = set()
    if checkpoint is not None:
        manifest = CheckpointManifest.model_validate_json((checkpoint / MANIFEST).read_bytes())
        kept = {manifest.step, manifest.best_step}
    _remove(found for found in _checkpoints(folder) if step_of(found) not in kept)


def read_state(checkpoint: Path) -> TrainerState:
    """What the trainer knew when it saved a checkpoint: its logged points, and the best step and loss."""
    state: TrainerState = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state


def checkpoint_at(folder: Path, step: int) -> Path:
    """Where the trainer puts the checkpoint of a step."""
    return folder / f"{_PREFIX}{step}"


def step_of(checkpoint: Path) -> int:
    """Optimizer steps done when the checkpoint was saved."""
    return int(checkpoint.name.removeprefix(_PREFIX))


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{_PREFIX}*") if path.name.removeprefix(_PREFIX).isdecimal()]


def _read_whole(checkpoint: Path) -> CheckpointManifest | None:
    try:
        manifest = CheckpointManifest.model_validate_json((checkpoint / MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    present = record_files(checkpoint)
    del present[MANIFEST]
    return manifest if present == manifest.files and manifest.step == step_of(checkpoint) else None


def _write_manifest(checkpoint: Path, best_step: int | None, layout: Layout) -> None:
    files = record_files(checkpoint)
    manifest = CheckpointManifest(step=step_of(checkpoint), best_step=best_step, layout=layout, files=files)
    for name in manifest.files:
        flush(checkpoint / name)
    temporary = checkpoint / f".{MANIFEST}"
    temporary.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    flush(temporary)
    temporary.replace(checkpoint / MANIFEST)
    flush(checkpoint)
    flush(checkpoint.parent)


def _remove(checkpoints: Iterable[Path]) -> None:
    for checkpoint in checkpoints:
        # The manifest goes first: a removal that is cut short leaves nothing that counts.
        (checkpoint / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(checkpoint)
