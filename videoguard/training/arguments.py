"""The settings of a training as transformers' `Trainer` takes them."""

from typing import Any

import torch
from transformers import TrainingArguments

from videoguard.config import TrainingSection
from videoguard.errors import UserError
from videoguard.training.launching import count_processes
from videoguard.training.optimizers import optimizer_options, usable_optimizer
from videoguard.training.request import TrainingRequest

LOGGED_POINTS = 60


def count_steps(settings: TrainingSection, examples: int) -> int:
    """Optimizer steps of the whole training."""
    per_step = settings.batch_size * settings.accumulation * count_processes(settings)
    return max(1, round(settings.epochs * -(-examples // per_step)))


def training_arguments(request: TrainingRequest, examples: int, held_back: int) -> TrainingArguments:
    """Arguments of a training on so many examples, or packed sequences, with so many held back to choose by.

    Raises:
        UserError: the number format or the optimizer cannot be had here.
    """
    settings = request.training
    _require_format(request.dtype)
    steps = count_steps(settings, examples)
    interval = max(1, steps // settings.evaluations)
    return TrainingArguments(
        output_dir=str(request.checkpoints),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        lr_scheduler_kwargs={"min_lr_rate": settings.lowest_rate} if settings.schedule == "cosine_with_min_lr" else None,
        warmup_steps=round(settings.warmup * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        logging_steps=max(1, steps // LOGGED_POINTS),
        save_strategy="steps",
        save_steps=interval,
        prediction_loss_only=True,
        bf16=request.dtype == "bfloat16",
        fp16=request.dtype == "float16",
        use_cpu=not torch.cuda.is_available(),
        seed=request.seed,
        data_seed=request.seed,
        deepspeed=None if settings.deepspeed is None else str(settings.deepspeed),
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        **_validation(settings, interval if held_back else None),
        **_checkpointing(settings),
        **optimizer_options(usable_optimizer(settings)[0]),
    )


def _validation(settings: TrainingSection, interval: int | None) -> dict[str, Any]:
    if interval is None:
        return {"eval_strategy": "no"}
    return {
        "eval_strategy": "steps",
        "eval_steps": interval,
        "metric_for_best_model": f"eval_{settings.metric}",
        "greater_is_better": settings.metric != "loss",
    }


def _checkpointing(settings: TrainingSection) -> dict[str, Any]:
    if not settings.gradient_checkpointing:
        return {}
    # The reentrant kind needs inputs with gradients, and fails with more than one process where weights are frozen.
    return {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}


def _require_format(dtype: str) -> None:
    if dtype == "float16" and not torch.cuda.is_available():
        raise UserError("model.dtype is float16: training with it needs a GPU; take bfloat16 or float32")
