"""The estimate of a run."""

from transformers import AutoConfig

from videoguard.config import RunConfig
from videoguard.disk import Need, estimate_disk, free_space
from videoguard.estimate.memory import TrainingShape, estimate_memory, find_device
from videoguard.estimate.parameters import build_adapted, count_parameters, count_quantized
from videoguard.estimate.plan import Plan, plan_run, splits_of
from videoguard.estimate.result import Estimate, ParameterCounts, TokenCounts
from videoguard.estimate.tokens import summarize_tokens
from videoguard.training.arguments import count_steps


def estimate_run(config: RunConfig) -> Estimate:
    """Estimate a run from its manifest, the headers of its videos, and the configuration and processor of its base model.

    Raises:
        UserError: manifest, splits or base model are refused, as the run would refuse them.
    """
    with plan_run(config) as plan:
        tokens = _count_tokens(plan)
        adapted = build_adapted(plan.base, config.training)
        parameters = count_parameters(adapted)
        copies = 0 if config.augmentation is None else config.augmentation.copies
        examples = plan.rows["train"] * (1 + copies)
        longest = [counts.longest for split, counts in tokens.items() if split != "test"]
        shape = TrainingShape(
            batch_size=config.training.batch_size,
            longest=max(longest, default=config.training.max_tokens),
            media_bytes=max((counts.media_bytes for counts in tokens.values()), default=0),
            dtype=config.model.dtype,
            quantization=config.model.quantization,
            optimizer=config.training.optimizer,
            gradient_checkpointing=config.training.gradient_checkpointing,
        )
        device = find_device()
        memory = estimate_memory(
            AutoConfig.from_pretrained(plan.base.folder),
            base=parameters.base,
            quantized=count_quantized(adapted, plan.base.family),
            trainable=parameters.trainable,
            shape=shape,
            is_gpu=device.is_gpu,
        )
        return Estimate(
            name=config.name,
            base=plan.base.name,
            samples=dict(plan.rows),
            unreadable=dict(plan.unreadable),
            examples=examples,
            steps=count_steps(config.training, examples),
            tokens=tokens,
            max_tokens=config.training.max_tokens,
            parameters=parameters,
            memory=memory,
            device=device,
            disk=_disk(plan, parameters),
            state=config.execution.state,
            free_bytes=free_space(config.execution.state),
        )


def _count_tokens(plan: Plan) -> dict[str, TokenCounts]:
    if plan.preprocessor is None:
        return {}
    return {
        split: summarize_tokens(list(plan.split(split)), plan.preprocessor, plan.shapes) for split in splits_of(plan.rows)
    }


def _disk(plan: Plan, parameters: ParameterCounts) -> list[Need]:
    contents = {plan.listing.media_digests[clip] for clip in plan.shapes}
    return estimate_disk(
        plan.config.frames,
        clips=len(contents),
        rows=len(plan.listing.samples),
        adapter_parameters=parameters.trainable,
        keep_last=plan.config.training.keep_last,
        base_parameters=parameters.base if plan.config.model.tiny is not None else 0,
    )
