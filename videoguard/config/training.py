"""The training and its adapter."""

from typing import Annotated, Literal

from pydantic import Field

from videoguard.config.section import Fraction, PositiveFloat, PositiveInt, Section


class LoraSection(Section):
    """The low-rank adapter (Hu et al. 2021, https://arxiv.org/abs/2106.09685)."""

    r: PositiveInt = 16
    """Rank."""
    alpha: PositiveInt = 32
    """Scale: the update is multiplied by alpha / r."""
    dropout: Fraction = 0.0
    """Dropout before the adapter."""
    targets: tuple[str, ...] | Literal["all-linear"] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Names of the adapted modules, within the language model."""


class TrainingSection(Section):
    """The optimisation of the adapter."""

    epochs: PositiveFloat = 3.0
    """Passes over the training split."""
    batch_size: PositiveInt = 4
    """Examples of one forward pass."""
    accumulation: PositiveInt = 1
    """Forward passes of one optimizer step."""
    learning_rate: PositiveFloat = 2e-4
    """Highest learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Course of the learning rate after the warm-up."""
    warmup: Fraction = 0.03
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight decay of AdamW."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are clipped to this norm."""
    evaluations: PositiveInt = 6
    """How often the validation split is measured and a checkpoint kept."""
    max_tokens: PositiveInt = 4096
    """Longest example, tokens; a longer one is refused before the training starts."""
    threads: PositiveInt = 1
    """Threads of the training process on a CPU; the same number gives the same adapter bytes."""
    lora: LoraSection = LoraSection()
