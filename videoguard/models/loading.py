"""Loading a base model, with an adapter or without. Remote code is never run."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path

import torch
from peft import PeftModel
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
from transformers.utils import logging as transformers_logging
from transformers.utils.import_utils import is_flash_attn_2_available

from videoguard.errors import UserError
from videoguard.models.base import BaseModelFolder
from videoguard.models.chat import Processor, fit_template, tokenizer_of
from videoguard.models.families import Family
from videoguard.models.parts import topmost


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


def load_model(
    base: BaseModelFolder,
    dtype: str,
    *,
    quantization: str = "none",
    attention: str = "auto",
    device: str = "auto",
) -> PreTrainedModel:
    """The base model in evaluation mode.

    Args:
        base: which model.
        dtype: number format that is computed in; that of the weights too, where they are not quantized.
        quantization: `none`, `4bit` or `8bit`, of the language model alone.
        attention: `auto`, or one that transformers knows.
        device: `auto` is the GPU of this process where there is one; else as of `usable_device`.

    Raises:
        UserError: the quantization needs bitsandbytes, which is not installed, on a machine with a GPU; or this machine
            has no such device.
    """
    transformers_logging.disable_progress_bar()
    place = device if ":" in device else usable_device(device)
    quantized = usable_quantization(quantization)[0]
    if quantized == "none":
        # peft imports bitsandbytes wherever it is installed, which then warns of a fast kernel that nothing here would use.
        logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    model: PreTrainedModel = auto_class(base.family).from_pretrained(
        base.folder,
        dtype=getattr(torch, dtype),
        # DeepSpeed's third stage puts each weight where it belongs by itself.
        device_map=None if is_deepspeed_zero3_enabled() else {"": place},
        attn_implementation=usable_attention(attention, dtype)[0],
        quantization_config=None if quantized == "none" else quantization_config(base, dtype, quantized),
    )
    model.eval()
    return model


def auto_class(family: Family) -> type[AutoModelForCausalLM | AutoModelForImageTextToText]:
    """The class of transformers that loads a model of a family, or builds one from its configuration."""
    return AutoModelForCausalLM if family.media == "text" else AutoModelForImageTextToText


def load_adapted(
    base: BaseModelFolder,
    dtype: str,
    adapter: Path,
    *,
    quantization: str = "none",
    attention: str = "auto",
    device: str = "auto",
) -> PeftModel:
    """The base model with the adapter of a folder, in evaluation mode."""
    model = load_model(base, dtype, quantization=quantization, attention=attention, device=device)
    return PeftModel.from_pretrained(model, str(adapter)).eval()


def usable_quantization(wanted: str) -> tuple[str, str | None]:
    """The quantization that a model is loaded with here, and why it is another than the wanted one.

    Without bitsandbytes a CPU holds the weights whole, with the same meaning and more memory.

    Raises:
        UserError: bitsandbytes is lacking on a machine with a GPU, where the weights were to be small.
    """
    if wanted == "none" or find_spec("bitsandbytes") is not None:
        return wanted, None
    if torch.cuda.is_available():
        raise UserError(f"model.quantization is {wanted}: it needs bitsandbytes; install video-guard[qlora], or take none")
    return "none", f"model.quantization is {wanted}: bitsandbytes is not installed, so the weights stay whole on this CPU"


def usable_attention(wanted: str, dtype: str) -> tuple[str | None, str | None]:
    """The attention that runs here, None for transformers' own choice, and why it is not the wanted one."""
    if wanted not in {"auto", "flash_attention_2"}:
        return wanted, None
    lacking = _lacking_for_flash_attention(dtype)
    if lacking is None:
        return "flash_attention_2", None
    return None, None if wanted == "auto" else f"model.attention is {wanted}: {lacking}, so PyTorch's own attention is taken"


def quantization_config(base: BaseModelFolder, dtype: str, quantization: str) -> BitsAndBytesConfig:
    """The linear layers of the language model in 4 bits (nf4, quantized twice) or 8, and nothing else."""
    whole = _left_whole(base)
    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=whole)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
        llm_int8_skip_modules=whole,
    )


def _left_whole(base: BaseModelFolder) -> list[str]:
    """Full names of the modules that are not quantized: vision, projector and output. Shorter names would be ignored."""
    with torch.device("meta"):
        model = auto_class(base.family).from_config(  # type: ignore[no-untyped-call]
            AutoConfig.from_pretrained(base.folder)
        )
    output = model.get_output_embeddings()
    named = dict(model.named_modules())
    outputs = [name for name, module in named.items() if module is output]
    return [*topmost(named, base.family.not_language), *outputs]


def _lacking_for_flash_attention(dtype: str) -> str | None:
    if not torch.cuda.is_available():
        return "there is no GPU"
    if dtype == "float32":
        return "it does not compute in float32"
    return None if is_flash_attn_2_available() else "flash-attn is not installed"


def default_dtype(device: str) -> str:
    """The number format of a model that none is named for, on a device as `usable_device` tells it."""
    has_bfloat16 = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return choose_dtype(device, has_bfloat16=has_bfloat16)


def choose_dtype(device: str, *, has_bfloat16: bool) -> str:
    """bfloat16 on a GPU of NVIDIA or AMD that computes in it: half the memory, several times the speed; else float32."""
    return "bfloat16" if device.startswith("cuda") and has_bfloat16 else "float32"


def usable_device(wanted: str = "auto", shard: int | None = None) -> str:
    """The device of a process, as PyTorch names it.

    Args:
        wanted: `auto`, `cuda`, `mps` or `cpu`; `auto` takes a GPU of NVIDIA or AMD, else one of Apple, else the CPU.
        shard: number of the process where several share out rows: each takes the next GPU.

    Raises:
        UserError: this machine has no such device.
    """
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    found = wanted if wanted != "auto" else next(name for name, there in has.items() if there)
    if not has.get(found, False):
        there = ", ".join(name for name, is_there in has.items() if is_there)
        raise UserError(f"device is {wanted}: this machine has {there}; take one of these, or auto")
    if found != "cuda":
        return found
    # Each process of a group has a GPU of its own.
    number = int(os.environ.get("LOCAL_RANK", "0")) if shard is None else shard
    return f"cuda:{number % torch.cuda.device_count()}"
