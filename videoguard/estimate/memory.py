"""Memory of a training at its highest, by part.

Activations are those that the backward pass needs, of a decoder layer of width `h`, feed-forward width `f` and key-value
width `k`, for each of `batch × longest` tokens: 10 h + 4 k + 4 f numbers (inputs and outputs of both norms, query, key and
value before and after their rotation, the attention's output, gate, up, their activation and product; attention itself is
computed in blocks that keep nothing). After Korthikanti et al. 2022, https://arxiv.org/abs/2205.05198, section 4.1, for a
gated layer without dropout. With gradient checkpointing each layer keeps its input, and one has its activations at a time.
The vocabulary comes on top: logits, their copy in 32 bits, their logarithms and their gradients.

Of the tensors that PyTorch keeps this is 1.3 times as much. On a CPU the process grows by more than it keeps, since what is
freed between is not handed back: by 1.83 times the activations here, in each of three measurements.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig

from videoguard.disk import Need, size_in_words
from videoguard.estimate.result import Device

_NUMBER_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_QUANTIZED_BYTES = {"4bit": 0.5625, "8bit": 1.0}
"""Of a weight: nf4 with a scale of 32 bits for each 64 weights; int8 with a scale a row."""
_OPTIMIZER_BYTES = {
    "adamw": 8.0,
    "paged_adamw": 8.0,
    "adamw_8bit": 2.0,
    "paged_adamw_8bit": 2.0,
    "adafactor": 0.1,
    "sgd": 0.0,
}
_CUDA_CONTEXT_BYTES = 600_000_000
_FREED_SHARE = 0.83
"""Of the activations: memory that a CPU's allocator keeps after they, and what was needed between, are freed."""


@dataclass(frozen=True)
class TrainingShape:
    """What decides the memory of a training beside the model."""

    batch_size: int
    longest: int
    """Tokens of the longest example, to which a batch is padded."""
    media_bytes: int
    """Media tensors of one example, in 32 bits."""
    dtype: str
    quantization: str
    optimizer: str
    gradient_checkpointing: bool


def estimate_memory(
    config: PreTrainedConfig, *, base: int, quantized: int, trainable: int, shape: TrainingShape, is_gpu: bool
) -> list[Need]:
    """Memory by part; parts that need nothing are left out.

    Args:
        config: of the model; its language model decides the activations.
        base: weights of the base model.
        quantized: those of them that are held in 4 or 8 bits where the recipe quantizes.
        trainable: weights that are trained, in 32 bits.
        shape: of the training.
        is_gpu: whether the libraries of a GPU take memory of it, and not the allocator of a CPU.
    """
    number = _NUMBER_BYTES[shape.dtype]
    small = quantized if shape.quantization != "none" else 0
    weights = (base - small) * number + round(small * _QUANTIZED_BYTES.get(shape.quantization, 0.0))
    optimizer = round(trainable * _OPTIMIZER_BYTES[shape.optimizer])
    activations, how = _activations(config.get_text_config(), shape, number)
    needs = [
        Need("weights", weights, f"{base:,} in {shape.quantization if small else shape.dtype}"),
        Need("adapter", trainable * 4, f"{trainable:,} in float32"),
        Need("gradients", trainable * 4, f"{trainable:,} in float32"),
        Need("optimizer", optimizer, shape.optimizer),
        Need("activations", activations, how),
        Need(
            "allocator",
            0 if is_gpu else round(activations * _FREED_SHARE),
            "freed, and not handed back by a CPU's allocator",
        ),
        Need(
            "media",
            shape.batch_size * shape.media_bytes * 2,
            f"{shape.batch_size} × frames as tensors, and in {shape.dtype}",
        ),
        Need("CUDA", _CUDA_CONTEXT_BYTES if is_gpu else 0, "context and kernels"),
    ]
    return [need for need in needs if need.bytes]


def find_device() -> Device:
    """The first GPU, else the memory of the machine that is available now."""
    if torch.cuda.is_available():
        return Device(torch.cuda.get_device_name(0), torch.cuda.mem_get_info(0)[1], is_gpu=True)
    return Device("memory of the CPU", _available_bytes(), is_gpu=False)


def _activations(text: PreTrainedConfig, shape: TrainingShape, number: int) -> tuple[int, str]:
    tokens = shape.batch_size * shape.longest
    width, layers = int(text.hidden_size), int(text.num_hidden_layers)
    layer = tokens * number * (10 * width + 4 * _key_value_width(text) + 4 * _feed_forward_width(text))
    kept = layers * tokens * number * width + layer if shape.gradient_checkpointing else layers * layer
    copied = 4 if number < 4 else 0
    vocabulary = tokens * int(text.vocab_size) * (number + copied + 4 + 4)
    told = "one at a time, with gradient checkpointing" if shape.gradient_checkpointing else "all kept"
    how = (
        f"{shape.batch_size} × {shape.longest:,} tokens: {layers} layers {told}, {size_in_words(kept)}; "
        f"vocabulary of {int(text.vocab_size):,}, {size_in_words(vocabulary)}"
    )
    return kept + vocabulary, how


def _key_value_width(text: PreTrainedConfig) -> int:
    heads = int(text.num_attention_heads)
    head: Any = getattr(text, "head_dim", None) or int(text.hidden_size) // heads
    return int(getattr(text, "num_key_value_heads", None) or heads) * int(head)


def _feed_forward_width(text: PreTrainedConfig) -> int:
    width: Any = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * int(text.hidden_size)
    # Gemma 3n names one for each layer.
    return int(max(width)) if isinstance(width, (list, tuple)) else int(width)


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/meminfo tells no MemAvailable: the kernel is older than 3.14")
