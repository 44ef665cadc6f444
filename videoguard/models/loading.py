"""Loading a base model, with an adapter or without. Remote code is never run."""

from pathlib import Path

import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from videoguard.models.base import BaseModelFolder
from videoguard.models.chat import Processor, fit_template, tokenizer_of
from videoguard.models.families import Family


def load_processor(base: BaseModelFolder) -> Processor:
    """The processor (tokenizer, image and video processor, chat template) of a base model.

    That of a model that reads text only is its tokenizer. A tokenizer without a padding token pads with the end of a text;
    the chat template of the family is put where there is none, or one that leaves videos out.
    """
    reads_text_only = base.family.media == "text"
    processor: Processor = (AutoTokenizer if reads_text_only else AutoProcessor).from_pretrained(base.folder)
    tokenizer = tokenizer_of(processor)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    fit_template(processor, base.family)
    return processor


def load_model(base: BaseModelFolder, dtype: str) -> PreTrainedModel:
    """The base model in evaluation mode, on the GPU where there is one."""
    transformers_logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: PreTrainedModel = auto_class(base.family).from_pretrained(
        base.folder, dtype=getattr(torch, dtype), device_map={"": device}
    )
    model.eval()
    return model


def auto_class(family: Family) -> type[AutoModelForCausalLM | AutoModelForImageTextToText]:
    """The class of transformers that loads a model of a family, or builds one from its configuration."""
    return AutoModelForCausalLM if family.media == "text" else AutoModelForImageTextToText


def load_adapted(base: BaseModelFolder, dtype: str, adapter: Path) -> PeftModel:
    """The base model with the adapter of a folder, in evaluation mode."""
    return PeftModel.from_pretrained(load_model(base, dtype), str(adapter)).eval()
