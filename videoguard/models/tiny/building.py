"""A tiny model of any family, with its processor, in a folder."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from transformers import GenerationConfig

from videoguard.config import TinyModel
from videoguard.models.tiny.gemma import gemma3n, gemma4
from videoguard.models.tiny.internvl import internvl
from videoguard.models.tiny.llava_onevision import llava_onevision
from videoguard.models.tiny.parts import TinyParts
from videoguard.models.tiny.qwen_vl import qwen2_5_vl, qwen3_vl
from videoguard.models.tiny.smolvlm import smolvlm
from videoguard.models.tiny.text import gpt2, llama, qwen2, qwen3

_PARTS: dict[str, Callable[[TinyModel, Iterable[str]], TinyParts]] = {
    "internvl": internvl,
    "gemma3n": gemma3n,
    "gemma4": gemma4,
    "qwen2_5_vl": qwen2_5_vl,
    "qwen3_vl": qwen3_vl,
    "smolvlm": smolvlm,
    "llava_onevision": llava_onevision,
    "gpt2": gpt2,
    "llama": llama,
    "qwen2": qwen2,
    "qwen3": qwen3,
}


def build_tiny(size: TinyModel, corpus: Iterable[str], seed: int, folder: Path) -> int:
    """Build a model and its processor with random weights, save both to `folder`, return the number of parameters.

    The classes are those of transformers: the auto classes load the folder as they load a hub model. The same size, corpus
    and seed give the same bytes.

    Args:
        size: the family, and how large.
        corpus: texts that the tokenizer should write in few tokens.
        seed: of the weights.
        folder: where to.
    """
    parts = _PARTS[size.family](size, corpus)
    torch.manual_seed(seed)
    model = parts.model_class(parts.config)
    tokenizer = parts.tokenizer
    model.generation_config = GenerationConfig(pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id)
    model.save_pretrained(folder)
    parts.processor.save_pretrained(folder)
    return int(model.num_parameters())
