"""The adapter: which modules of a model get one, which are trained whole beside it, and that each target is one."""

import re
from collections.abc import Collection, Sequence

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from videoguard.config import LoraSection
from videoguard.config.training import Part
from videoguard.errors import UserError, refuse_all
from videoguard.models.families import Family
from videoguard.models.parts import outside, part_of, topmost

_ADAPTABLE = (torch.nn.Linear, torch.nn.Embedding, torch.nn.Conv2d, torch.nn.Conv3d, Conv1D)
_NAMES_TOLD = 12


def attach_adapter(model: PreTrainedModel, lora: LoraSection, family: Family, train_whole: Sequence[Part] = ()) -> PeftModel:
    """The model with a fresh adapter on the targets within `lora.parts`, everything else frozen.

    Args:
        model: quantized or not.
        lora: the adapter.
        family: of the model.
        train_whole: parts of which every weight is trained, from a copy that is saved with the adapter.

    Raises:
        UserError: a target or a module to save matches nothing; what there is, is named.
    """
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        exclude_modules=outside(lora.parts, family),
        modules_to_save=_trained_whole(model, lora, family, train_whole) or None,
        use_rslora=lora.kind == "rslora",
        use_dora=lora.kind == "dora",
        task_type="CAUSAL_LM",
    )
    _require_targets(model, lora, family)
    if getattr(model, "is_quantized", False):
        # The trainer's arguments decide on gradient checkpointing.
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]
    try:
        adapted = get_peft_model(model, config)
    except ValueError as refused:
        raise UserError(f"training.lora.targets is {lora.targets!r}: {str(refused).splitlines()[0]}") from None
    for parameter in adapted.parameters():
        # Small updates vanish in 16 bits: what is trained is kept in 32, as the adapter is.
        if parameter.requires_grad and parameter.dtype in {torch.float16, torch.bfloat16}:
            parameter.data = parameter.data.float()
    return adapted


def _require_targets(model: PreTrainedModel, lora: LoraSection, family: Family) -> None:
    """Every target must be a module of the adapted parts: the library is silent where only some are."""
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, _ADAPTABLE) and part_of(name, family) in lora.parts
    ]
    parts = " and ".join(lora.parts)
    if not names:
        raise UserError(f"training.lora.parts is {', '.join(lora.parts)}: a {family.model_type} model has no such part")
    if lora.targets == "all-linear":
        return
    if isinstance(lora.targets, str):
        unmatched = [] if any(re.fullmatch(lora.targets, name) for name in names) else [lora.targets]
    else:
        unmatched = [target for target in lora.targets if not _ends_of(names, target)]
    refuse_all(
        f"training.lora.targets is {lora.targets!r}",
        (f"{target} matches no module of {parts}, whose modules are {_told(names)}" for target in unmatched),
    )


def _trained_whole(model: PreTrainedModel, lora: LoraSection, family: Family, train_whole: Sequence[Part]) -> list[str]:
    names = [name for name, _ in model.named_modules()]
    missing = [target for target in lora.modules_to_save if not _ends_of(names, target)]
    refuse_all(
        f"training.lora.modules_to_save is {lora.modules_to_save!r}",
        (f"{target} matches no module, such as {_told(names)}" for target in missing),
    )
    patterns = {"vision": family.vision, "projector": family.projector}
    found = {part: topmost(names, patterns[part]) for part in train_whole}
    refuse_all("training.train_whole", (f"the model has no {part}" for part, modules in found.items() if not modules))
    return [*lora.modules_to_save, *(name for modules in found.values() for name in modules)]


def _ends_of(names: Collection[str], target: str) -> list[str]:
    """The names that are a target, or end with it behind a point."""
    return [name for name in names if name == target or name.endswith(f".{target}")]


def _told(names: Collection[str]) -> str:
    """The last parts of names, each once, as far as a message can hold them."""
    ends = sorted({name.rpartition(".")[2] for name in names if name} - {str(number) for number in range(1000)})
    return ", ".join(ends[:_NAMES_TOLD]) + (", …" if len(ends) > _NAMES_TOLD else "")
