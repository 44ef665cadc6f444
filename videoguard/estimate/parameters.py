"""The parameters of a model with its adapter, counted without weights."""

import re

import torch
from peft import PeftModel
from transformers import AutoConfig, PreTrainedConfig

from videoguard.config import TrainingSection
from videoguard.estimate.result import ParameterCounts
from videoguard.models.base import BaseModelFolder
from videoguard.models.families import Family
from videoguard.models.loading import auto_class
from videoguard.training.adapters import attach_adapter


def build_adapted(base: BaseModelFolder, training: TrainingSection) -> PeftModel:
    """The model of a folder's `config.json` with a fresh adapter, on the meta device: shapes and no numbers.

    Raises:
        UserError: a target of the adapter matches nothing.
    """
    config: PreTrainedConfig = AutoConfig.from_pretrained(base.folder)
    with torch.device("meta"):
        model = auto_class(base.family).from_config(config)  # type: ignore[no-untyped-call]
        return attach_adapter(model, training.lora, base.family, training.train_whole)


def count_parameters(adapted: PeftModel) -> ParameterCounts:
    """The weights of a model with its adapter."""
    trainable, total = adapted.get_nb_trainable_parameters()
    return ParameterCounts(base=total - trainable, trainable=trainable, total=total)


def count_quantized(adapted: PeftModel, family: Family) -> int:
    """Weights that a quantization holds in fewer bits: those of the linear layers of the language model, but its output."""
    outside = re.compile(family.not_language)
    return sum(
        module.weight.numel()
        for name, module in adapted.get_base_model().named_modules()
        if isinstance(module, torch.nn.Linear)
        and not outside.fullmatch(name)
        and not name.endswith("lm_head")
        and ".lora_" not in name
    )
