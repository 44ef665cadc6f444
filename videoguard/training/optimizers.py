"""Which optimizer trains, and at which rate each part of the model learns."""

from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Any

import torch

from videoguard.config import TrainingSection
from videoguard.config.training import Optimizer, Part
from videoguard.errors import UserError
from videoguard.models.families import Family
from videoguard.models.parts import part_of

Rates = Mapping[Part, float]
"""Highest learning rate of each part that has its own."""

_NEEDS_BITSANDBYTES: set[Optimizer] = {"adamw_8bit", "paged_adamw", "paged_adamw_8bit"}

# Our names of transformers' optimizers. AdamW is left to transformers, which takes the fused one where there is one.
_NAMES: dict[Optimizer, str | None] = {
    "adamw": None,
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw": "paged_adamw_32bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


def usable_optimizer(training: TrainingSection) -> tuple[Optimizer, str | None]:
    """The optimizer that trains here, and why it is another than the wanted one.

    Raises:
        UserError: it needs bitsandbytes, and the settings name no other to fall back on.
    """
    wanted, fallback = training.optimizer, training.optimizer_fallback
    if wanted not in _NEEDS_BITSANDBYTES or find_spec("bitsandbytes") is not None:
        return wanted, None
    if fallback == "none":
        raise UserError(
            f"training.optimizer is {wanted}: it needs bitsandbytes; install video-guard[qlora], or name another in "
            "training.optimizer_fallback"
        )
    return fallback, f"training.optimizer is {wanted}: bitsandbytes is not installed, so {fallback} is taken"


def optimizer_options(optimizer: Optimizer) -> dict[str, Any]:
    """Arguments by which transformers makes the optimizer."""
    name = _NAMES[optimizer]
    return {} if name is None else {"optim": name}


def rates_of(training: TrainingSection) -> Rates:
    """The learning rates of the parts that have their own."""
    rates: dict[Part, float | None] = {
        "vision": training.vision_learning_rate,
        "projector": training.projector_learning_rate,
    }
    return {part: rate for part, rate in rates.items() if rate is not None}


def parameter_groups(
    model: torch.nn.Module, family: Family, rates: Rates, decaying: Collection[str], weight_decay: float
) -> list[dict[str, Any]]:
    """The trained parameters by learning rate and weight decay; first those that have the rate of the whole training.

    Args:
        model: with its adapter.
        family: of the model.
        rates: of the parts that have their own.
        decaying: names of the parameters that weight decay is for.
        weight_decay: of those.

    Raises:
        UserError: nothing is trained in a part that has a rate of its own.
    """
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    groups: dict[tuple[Part | None, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in trained:
        part = part_of(name.removeprefix("base_model.model."), family)
        groups.setdefault((part if part in rates else None, name in decaying), []).append(parameter)
    for part in rates:
        if not any(named == part for named, _ in groups):
            raise UserError(
                f"training.{part}_learning_rate is {rates[part]}: nothing is trained in the {part}; "
                "name it in training.lora.parts or training.train_whole, or leave the rate out"
            )
    ordered = sorted(groups, key=lambda group: (group[0] or "", not group[1]))
    return [
        {
            "params": groups[part, decays],
            "weight_decay": weight_decay if decays else 0.0,
            **({} if part is None else {"lr": rates[part]}),
        }
        for part, decays in ordered
    ]
