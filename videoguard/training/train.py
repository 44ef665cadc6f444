"""The training itself: a base model, a dataset and settings in; the best adapter out."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TypedDict

from peft import PeftModel
from transformers import TrainerState, set_seed

from videoguard.dataset.building import read_split
from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.checkpoints import (
    CheckpointKeeper,
    checkpoint_at,
    newest_whole_checkpoint,
    read_state,
    train_to_the_end,
)
from videoguard.models.loading import load_model, load_processor, usable_attention, usable_quantization
from videoguard.models.memory import telling_exhaustion
from videoguard.models.preprocessing import Preprocessor, digest_processor, make_record
from videoguard.models.reporting import Emit, Reporter
from videoguard.training.adapters import attach_adapter
from videoguard.training.arguments import training_arguments
from videoguard.training.data import TrainingData, read_data
from videoguard.training.launching import count_processes
from videoguard.training.monitoring import Meter, cost_of, peak_flops
from videoguard.training.optimizers import rates_of, usable_optimizer
from videoguard.training.outcome import (
    ADAPTER,
    best_validation_loss,
    logged_names,
    mean_loss,
    require_finite,
    write_adapter,
    write_log,
)
from videoguard.training.preview import mark_tokens, sum_up
from videoguard.training.request import TrainingReply, TrainingRequest
from videoguard.training.stopping import StopAfter
from videoguard.training.trainer import AdapterTrainer, Score


def train(request: TrainingRequest, emit: Emit) -> TrainingReply:
    """Train an adapter, keep the best one, write it with its record to `request.output`.

    A training that was killed goes on from its last whole checkpoint in `request.checkpoints` and ends with the same
    adapter, log and curves as an undisturbed one. Every process of a group calls this; the first one writes.

    Args:
        request: what to train on what.
        emit: called with `{"step", "of", "metrics"}` as the training goes on, and with a `"note"` where it was resumed or
            goes another way than asked.

    Raises:
        UserError: the base model, the targets or examples are refused, or the training diverged from its start.
        MemoryExhaustedError: a forward or backward pass did not fit into memory.
        LaunchError: the processes of a group are not those that were asked for.
    """
    with telling_exhaustion():
        base = find_base(request.base, request.revision)
        preprocessor = Preprocessor(load_processor(base), base.family)
        data = read_data(request, preprocessor)
        stop = StopAfter(request.training.patience)
        trainer = _trainer(request, base, data, stop, emit)
        started = time.monotonic()
        with _encoding_ahead(request, data):
            last, resumed_from = train_to_the_end(trainer, emit, stop.is_over)
        seconds = time.monotonic() - started
        state = read_state(last)
        if len(data.validation):
            require_finite(state, request.training.learning_rate)
        if trainer.is_world_process_zero():
            _write(request, base, preprocessor, state)
        return TrainingReply(
            examples=len(data.examples),
            sequences=len(data.sequences) if request.training.packing else 0,
            seconds=seconds,
            resumed_from=resumed_from,
            **_course(request, trainer, state),
            **trainer.meter.figures(trainer.meter.total),
        )


def _trainer(
    request: TrainingRequest, base: BaseModelFolder, data: TrainingData, stop: StopAfter, emit: Emit
) -> AdapterTrainer:
    settings = request.training
    score = _score(request, data)
    # Before the model: DeepSpeed's third stage spreads the weights while they are loaded.
    arguments = training_arguments(request, len(data.sequences), len(data.validation))
    for note in [*_first_look(request, data), *_substitutes(request)]:
        emit({"step": 0, "of": arguments.max_steps, "metrics": {}, "note": note})
    set_seed(request.seed)
    model = _model(request, base)
    meter = Meter(cost_of(model, base.family), peak_flops(request.dtype, settings.peak_tflops), arguments.world_size)
    return AdapterTrainer(
        model=model,
        args=arguments,
        train_dataset=data.sequences,
        eval_dataset=data.validation if len(data.validation) else None,
        data_collator=data.collate,
        callbacks=[
            meter,
            Reporter(emit, logged_names(settings.metric), meter.read),
            CheckpointKeeper(settings.keep_last),
            stop,
        ],
        sampler=data.sampler,
        family=base.family,
        rates=rates_of(settings),
        meter=meter,
        score=score,
        processes=count_processes(settings),
    )


def _encoding_ahead(request: TrainingRequest, data: TrainingData) -> AbstractContextManager[None]:
    # Text is quick to encode, and of several processes each would encode what the others see.
    if data.frames is None or count_processes(request.training) > 1:
        return nullcontext()
    return data.examples.encoding_ahead()


def _model(request: TrainingRequest, base: BaseModelFolder) -> PeftModel:
    settings = request.training
    model = load_model(base, request.dtype, quantization=request.quantization, attention=request.attention)
    adapted = attach_adapter(model, settings.lora, base.family, settings.train_whole)
    if settings.gradient_checkpointing:
        # Some layers are checkpointed by their input alone, which frozen embeddings would leave without a gradient.
        adapted.enable_input_require_grads()
    return adapted


def _score(request: TrainingRequest, data: TrainingData) -> tuple[str, Score] | None:
    if request.scoring is None:
        return None
    from videoguard.training.selection import AnswerScore

    rows = list(read_split(request.dataset, "validation"))
    return request.scoring.metric, AnswerScore(request.scoring, rows, data.preprocessor, data.frames)


def _first_look(request: TrainingRequest, data: TrainingData) -> list[str]:
    """What is trained of the first example, where a training starts and does not go on."""
    if newest_whole_checkpoint(request.checkpoints) is not None:
        return []
    return [sum_up(mark_tokens(data.examples[0], data.preprocessor.tokenizer))]


def _substitutes(request: TrainingRequest) -> list[str]:
    """What is done in another way than asked, because this machine cannot do it so."""
    found = [
        usable_quantization(request.quantization)[1],
        usable_attention(request.attention, request.dtype)[1],
        usable_optimizer(request.training)[1],
    ]
    return [note for note in found if note is not None]


def _write(request: TrainingRequest, base: BaseModelFolder, preprocessor: Preprocessor, state: TrainerState) -> None:
    record = make_record(
        base,
        digest_processor(preprocessor.processor),
        request.frames,
        base_name=request.base_name,
        system_prompt=request.system_prompt,
        question=request.question,
        text_only=request.frame_store is None,
    )
    kept = checkpoint_at(request.checkpoints, state.best_global_step or state.global_step)
    write_adapter(kept, record, request.output / ADAPTER)
    write_log(state, request.training.metric, request.output)


class _Course(TypedDict):
    """The part of the reply that tells how the training went."""

    steps: int
    stopped_early: bool
    train_loss: float
    best_step: int | None
    best_validation_loss: float | None
    best_score: float | None
    trainable_parameters: int
    total_parameters: int
    batch_size: int
    accumulation: int
    processes: int
    engine: str
    optimizer: str


def _course(request: TrainingRequest, trainer: AdapterTrainer, state: TrainerState) -> _Course:
    settings = request.training
    trainable, total = trainer.adapted.get_nb_trainable_parameters()
    return _Course(
        steps=state.global_step,
        stopped_early=state.global_step < trainer.args.max_steps,
        train_loss=mean_loss(state),
        best_step=state.best_global_step,
        best_validation_loss=best_validation_loss(state),
        best_score=None if settings.metric == "loss" else state.best_metric,
        trainable_parameters=trainable,
        total_parameters=total,
        batch_size=settings.batch_size,
        accumulation=settings.accumulation,
        processes=trainer.args.world_size,
        engine=trainer.engine,
        optimizer=usable_optimizer(settings)[0],
    )
