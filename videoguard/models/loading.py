"""Loading a base model, with an adapter or without. Remote code is never run."""

from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin
from transformers.utils import logging as transformers_logging

from videoguard.models.base import BaseModelFolder


def load_processor(base: BaseModelFolder) -> ProcessorMixin:
    """The processor (tokenizer, image and video processor, chat template) of a base model."""
    processor: ProcessorMixin = AutoProcessor.from_pretrained(base.folder)
    return processor


def load_model(base: BaseModelFolder, dtype: str) -> PreTrainedModel:
    """The base model in evaluation mode, on the GPU where there is one."""
    transformers_logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: PreTrainedModel = AutoModelForImageTextToText.from_pretrained(
        base.folder, dtype=getattr(torch, dtype), device_map={"": device}
    )
    model.eval()
    return model


def load_adapted(base: BaseModelFolder, dtype: str, adapter: Path) -> PeftModel:
    """The base model with the adapter of a folder, in evaluation mode."""
    return PeftModel.from_pretrained(load_model(base, dtype), str(adapter)).eval()
