"""The training and its adapter."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from videoguard.config.evaluation import MetricName
from videoguard.config.section import Fraction, PositiveFloat, PositiveInt, Section

Part = Literal["language", "vision", "projector"]
Optimizer = Literal["adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit", "adafactor", "sgd"]
Schedule = Literal[
    "cosine", "cosine_with_min_lr", "linear", "polynomial", "inverse_sqrt", "constant", "constant_with_warmup"
]


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as fault:
        raise ValueError(f"it is no pattern of Python's re: {fault}") from None
    return pattern


class LoraSection(Section):
    """The low-rank adapter (Hu et al. 2021, https://arxiv.org/abs/2106.09685)."""

    kind: Literal["lora", "rslora", "dora"] = "lora"
    """`rslora` scales by alpha / √r (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732); `dora` trains the length of each
    weight vector apart from its direction (Liu et al. 2024, https://arxiv.org/abs/2402.09353), at half the speed."""
    r: PositiveInt = 16
    """Rank."""
    alpha: PositiveInt = 32
    """Scale: the update is multiplied by alpha / r."""
    dropout: Fraction = 0.0
    """Dropout before the adapter."""
    targets: tuple[str, ...] | Annotated[str, AfterValidator(_compiled)] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Which modules of `parts` are adapted: the ends of their names, `all-linear`, or a pattern of their whole names."""
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = ("language",)
    """Parts of the model that are adapted."""
    modules_to_save: tuple[str, ...] = ()
    """Ends of the names of modules that are trained whole, and saved with the adapter (`lm_head`)."""


class TrainingSection(Section):
    """The optimisation of the adapter."""

    epochs: PositiveFloat = 3.0
    """Passes over the training split."""
    batch_size: PositiveInt = 4
    """Examples of one forward pass of one process."""
    accumulation: PositiveInt = 1
    """Forward passes of one optimizer step."""
    learning_rate: PositiveFloat = 2e-4
    """Highest learning rate."""
    vision_learning_rate: PositiveFloat | None = None
    """Highest learning rate of what is trained in the vision tower; that of all else when None."""
    projector_learning_rate: PositiveFloat | None = None
    """Highest learning rate of what is trained in the projector; that of all else when None."""
    schedule: Schedule = "cosine"
    """Course of the learning rate after the warm-up."""
    lowest_rate: Fraction = 0.1
    """Share of the highest learning rate at which `cosine_with_min_lr` ends."""
    warmup: Fraction = 0.03
    """Share of the steps in which the learning rate rises."""
    optimizer: Optimizer = "adamw"
    """Those of 8 bits and the paged ones need bitsandbytes."""
    optimizer_fallback: Literal["adamw", "adafactor", "none"] = "adamw"
    """Taken, and named in the log, where bitsandbytes is lacking; `none` refuses the training."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight decay of the optimizer."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are clipped to this norm."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third more time."""
    train_whole: tuple[Literal["vision", "projector"], ...] = ()
    """Parts of which every weight is trained, beside the adapter; what is neither adapted nor here is frozen."""
    evaluations: PositiveInt = 6
    """How often the validation split is measured and a checkpoint kept."""
    metric: Literal["loss"] | MetricName = "loss"
    """What the best checkpoint is chosen by: the validation loss, or the mean score of answers to the validation split."""
    metric_samples: PositiveInt = 64
    """Rows of the validation split that are answered at each evaluation, evenly taken; all where there are no more."""
    patience: PositiveInt | None = None
    """Evaluations in a row without a better one after which the training ends; None to train all epochs."""
    keep_last: PositiveInt = 2
    """Newest checkpoints that are kept, beside the best."""
    max_tokens: PositiveInt = 4096
    """Longest example, tokens; a longer one is refused before the training starts, never cut."""
    group_by_length: bool = False
    """Put examples of similar length into a batch: less padding where lengths differ."""
    packing: bool = False
    """Put several text-only examples into one sequence of up to `max_tokens`; none attends to another."""
    threads: PositiveInt = 1
    """Threads of each training process on a CPU; the same number gives the same adapter bytes."""
    launcher: Literal["python", "torchrun", "deepspeed"] = "python"
    """What starts the processes of the training; `python` starts one."""
    processes: PositiveInt = 1
    """Processes of the training on each machine: one a GPU."""
    hostfile: Path | None = None
    """Machines of the training, as the launcher of DeepSpeed reads them: a line `name slots=GPUs` each."""
    deepspeed: Path | None = None
    """DeepSpeed's JSON settings, such as `configs/deepspeed/zero2.json`; without it, gradients are averaged by PyTorch."""
    peak_tflops: PositiveFloat | None = None
    """What one GPU can do in the number format of the training, for the model FLOPs utilization; known for common GPUs."""
    lora: LoraSection = LoraSection()

    @model_validator(mode="after")
    def _launchable(self) -> "TrainingSection":
        if self.launcher == "python" and (self.processes > 1 or self.deepspeed is not None):
            raise ValueError(
                "launcher python starts one plain process: for processes or deepspeed take torchrun or deepspeed"
            )
        if self.launcher == "deepspeed" and self.deepspeed is None:
            raise ValueError("launcher deepspeed needs the file deepspeed, such as configs/deepspeed/zero2.json")
        if self.hostfile is not None and self.launcher != "deepspeed":
            raise ValueError(
                f"hostfile needs launcher deepspeed, which starts the other machines: launcher is {self.launcher}"
            )
        return self

    @model_validator(mode="after")
    def _trained_once(self) -> "TrainingSection":
        both = [part for part in self.train_whole if part in self.lora.parts]
        if both:
            raise ValueError(f"{both[0]} stands in train_whole and in lora.parts: it is trained whole or adapted, not both")
        return self
