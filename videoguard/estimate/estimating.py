"""The estimate of a run, and whether it fits on this machine."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict
from transformers import AutoConfig

from videoguard.config import RunConfig
from videoguard.disk import Need, estimate_disk, free_space, needed_space, size_in_words
from videoguard.errors import refuse_all
from videoguard.estimate.memory import Device, TrainingShape, estimate_memory, find_device
from videoguard.estimate.parameters import ParameterCounts, build_adapted, count_parameters, count_quantized
from videoguard.estimate.plan import Plan, plan_run, splits_of
from videoguard.estimate.tokens import TokenCounter, TokenCounts
from videoguard.training.train import count_steps


class Estimate(BaseModel):
    """What a run will take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    base: str
    samples: dict[str, int]
    """By split."""
    unreadable: dict[str, str]
    """Reason by clip that cannot be read, and will be quarantined."""
    examples: int
    """Of the training: the training split and its changed copies."""
    steps: int
    tokens: dict[str, TokenCounts]
    """By split; empty where the base has no tokenizer on disk: then each example is taken as long as it may be."""
    max_tokens: int
    parameters: ParameterCounts
    memory: list[Need]
    device: Device
    disk: list[Need]
    state: Path
    free_bytes: int
    """Free on the disk of the state folder."""

    @property
    def memory_bytes(self) -> int:
        """Memory of the training at its highest."""
        return sum(need.bytes for need in self.memory)

    @property
    def disk_bytes(self) -> int:
        """What the run writes, with a reserve."""
        return needed_space(self.disk)

    def problems(self) -> list[str]:
        """Why the run cannot be done here; none where it can."""
        found = [
            f"sample {counts.longest_sample} of {split} has {counts.longest:,} tokens: training.max_tokens is "
            f"{self.max_tokens:,}; raise it, or take fewer frames"
            for split, counts in self.tokens.items()
            if split != "test" and counts.longest > self.max_tokens
        ]
        if self.memory_bytes > self.device.bytes:
            found.append(
                f"the training needs {size_in_words(self.memory_bytes)} of memory, {self.device.name} has "
                f"{size_in_words(self.device.bytes)}; the largest part is {max(self.memory, key=_bytes).part}: lower "
                "training.batch_size (and raise training.accumulation), set training.gradient_checkpointing, or quantize"
            )
        if self.disk_bytes > self.free_bytes:
            found.append(
                f"the run writes {size_in_words(self.disk_bytes)} to {self.state}, {size_in_words(self.free_bytes)} are free "
                "there; make room, take fewer or smaller frames, or set execution.state to a folder on a larger disk"
            )
        return found


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
            quantization="none",
            optimizer="adamw",
            gradient_checkpointing=False,
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


def require_possible(estimate: Estimate) -> None:
    """Raise `UserError` with all numbers where the run cannot be done on this machine."""
    refuse_all(estimate.name, estimate.problems())


def _count_tokens(plan: Plan) -> dict[str, TokenCounts]:
    if plan.preprocessor is None:
        return {}
    counter = TokenCounter(plan.preprocessor, plan.shapes)
    return {split: counter.summarize(list(plan.split(split))) for split in splits_of(plan.rows)}


def _disk(plan: Plan, parameters: ParameterCounts) -> list[Need]:
    contents = {plan.listing.media_digests[clip] for clip in plan.shapes}
    return estimate_disk(
        plan.config.frames,
        clips=len(contents),
        rows=len(plan.listing.samples),
        adapter_parameters=parameters.trainable,
        base_parameters=parameters.base if plan.config.model.tiny is not None else 0,
    )


def _bytes(need: Need) -> int:
    return need.bytes
