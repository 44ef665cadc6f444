"""The training itself: a base model, a dataset and settings in; the best adapter out."""

import json
import math
import shutil
import time
from itertools import pairwise
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from videoguard.config import LoraSection, TrainingSection
from videoguard.dataset.building import read_split
from videoguard.dataset.splits import Split
from videoguard.errors import UserError
from videoguard.frames.store import FrameStore
from videoguard.models.base import find_base
from videoguard.models.checkpoints import CheckpointKeeper, checkpoint_at, read_state, train_to_the_end
from videoguard.models.families import Family
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import PreprocessingRecord, Preprocessor, digest_processor, make_record
from videoguard.models.reporting import Emit, Reporter, rename_metrics
from videoguard.training.curves import draw_curves
from videoguard.training.examples import Augmentation, TrainingExamples, require_trained_tokens
from videoguard.training.request import TrainingReply, TrainingRequest

ADAPTER = "adapter"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_LOG = "log.jsonl"
_LOGGED_POINTS = 60
_METRICS = {"loss": "train_loss", "eval_loss": "validation_loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm"}


def train(request: TrainingRequest, emit: Emit) -> TrainingReply:
    """Train an adapter, keep the one with the lowest validation loss, write it with its record to `request.output`.

    A training that was killed goes on from its last whole checkpoint in `request.checkpoints` and ends with the same
    adapter, log and curves as an undisturbed one.

    Args:
        request: what to train on what.
        emit: called with `{"step", "of", "metrics"}` as the training goes on, and a `"note"` where it was resumed.

    Raises:
        UserError: the base model, the targets or an example are refused, or the training diverged from its start.
    """
    base = find_base(request.base, request.revision)
    processor = load_processor(base)
    preprocessor = Preprocessor(processor, base.family)
    frames = None if request.frame_store is None else FrameStore(request.frame_store, request.frame_shards)
    training = _examples(request, "train", frames, preprocessor)
    validation = _examples(request, "validation", frames, preprocessor)
    require_trained_tokens([training[0]])

    set_seed(request.seed)
    model = attach_adapter(load_model(base, request.dtype), request.training.lora, base.family)
    trainer = Trainer(
        model=model,
        args=_arguments(request, len(training), len(validation)),
        train_dataset=training,
        eval_dataset=validation if len(validation) else None,
        data_collator=lambda examples: preprocessor.collate(examples, side="right"),
        callbacks=[Reporter(emit, _METRICS), CheckpointKeeper()],
    )
    started = time.monotonic()
    resumed_from = train_to_the_end(trainer, emit)
    seconds = time.monotonic() - started

    steps = trainer.args.max_steps
    state = read_state(checkpoint_at(request.checkpoints, steps))
    if len(validation):
        _require_finite(state.best_metric, request.training.learning_rate)
    record = make_record(
        base,
        digest_processor(processor),
        request.frames,
        base_name=request.base_name,
        system_prompt=request.system_prompt,
        question=request.question,
        text_only=request.frame_store is None,
    )
    _write_adapter(checkpoint_at(request.checkpoints, state.best_global_step or steps), record, request.output / ADAPTER)
    _write_log(state, request.output)
    trainable, total = model.get_nb_trainable_parameters()
    return TrainingReply(
        steps=steps,
        examples=len(training),
        seconds=seconds,
        resumed_from=resumed_from,
        train_loss=_mean_loss(state),
        best_step=state.best_global_step,
        best_validation_loss=state.best_metric,
        trainable_parameters=trainable,
        total_parameters=total,
    )


def attach_adapter(model: PreTrainedModel, lora: LoraSection, family: Family) -> PeftModel:
    """The model with a fresh LoRA adapter on the targets within its language model, everything else frozen."""
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        exclude_modules=family.not_language,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as unmatched:
        raise UserError(f"training.lora.targets is {lora.targets!r}: {str(unmatched).splitlines()[0]}") from None


def count_steps(settings: TrainingSection, examples: int) -> int:
    """Optimizer steps of the whole training."""
    per_step = settings.batch_size * settings.accumulation
    return max(1, round(settings.epochs * -(-examples // per_step)))


def _examples(
    request: TrainingRequest, split: Split, frames: FrameStore | None, preprocessor: Preprocessor
) -> TrainingExamples:
    wanted = request.augmentation if split == "train" else None
    augmentation = None if wanted is None else Augmentation(wanted, request.seed)
    return TrainingExamples(
        read_split(request.dataset, split), frames, preprocessor, request.training.max_tokens, augmentation
    )


def _arguments(request: TrainingRequest, examples: int, held_back: int) -> TrainingArguments:
    settings = request.training
    steps = count_steps(settings, examples)
    interval = max(1, steps // settings.evaluations)
    validate = "steps" if held_back else "no"
    return TrainingArguments(
        output_dir=str(request.checkpoints),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=round(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        logging_steps=max(1, steps // _LOGGED_POINTS),
        eval_strategy=validate,
        eval_steps=interval,
        save_strategy="steps",
        save_steps=interval,
        metric_for_best_model="eval_loss" if held_back else None,
        greater_is_better=False if held_back else None,
        prediction_loss_only=True,
        bf16=request.dtype == "bfloat16",
        fp16=request.dtype == "float16",
        use_cpu=not torch.cuda.is_available(),
        seed=request.seed,
        data_seed=request.seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
    )


def _require_finite(best_validation_loss: float | None, learning_rate: float) -> None:
    if best_validation_loss is None or not math.isfinite(best_validation_loss):
        raise UserError(
            f"training.learning_rate is {learning_rate}: the training diverged, no validation loss is finite; lower it"
        )


def _write_adapter(checkpoint: Path, record: PreprocessingRecord, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ADAPTER_FILES:
        shutil.copyfile(checkpoint / name, folder / name)
    record.save(folder)


def _mean_loss(state: TrainerState) -> float:
    """Mean training loss over all steps: each logged point is the mean over the steps since the point before."""
    points = [(0, 0.0), *((entry["step"], entry["loss"]) for entry in state.log_history if "loss" in entry)]
    return sum((step - before) * loss for (before, _), (step, loss) in pairwise(points)) / points[-1][0]


def _write_log(state: TrainerState, folder: Path) -> None:
    """Every logged point as JSON Lines, and as a picture."""
    named = [(entry["step"], rename_metrics(entry, _METRICS)) for entry in state.log_history]
    points = [{"step": step, **metrics} for step, metrics in named if metrics]
    with (folder / _LOG).open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(point) + "\n" for point in points)
    draw_curves(points, state.best_global_step, folder / "curves.png")
