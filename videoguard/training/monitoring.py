"""Figures of a running training: how fast, in how much memory, and how much of the GPU's arithmetic it uses."""

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from videoguard.models.families import Family
from videoguard.models.parts import part_of

# Dense products of 16-bit numbers with 32-bit sums, without sparsity: NVIDIA's data sheets.
_PEAK_TFLOPS = {
    "B200": 2250.0,
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "A100": 312.0,
    "A10G": 70.0,
    "A10": 125.0,
    "L40S": 362.0,
    "L4": 121.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
    "V100": 125.0,
    "T4": 65.0,
}


@dataclass(frozen=True)
class ModelCost:
    """What decides how much arithmetic a token costs."""

    language_weights: int
    """Weights of the language model that each token is multiplied with: all but the embeddings of the input."""
    trained_weights: int
    """Those of them that are trained, the adapter's included."""

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of training on one token.

        Each weight costs 2 forwards, 2 for the gradient of what comes in, and 2 for its own gradient where it is trained
        (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361: 6 N where all are). The vision tower, the attention between
        tokens and what gradient checkpointing computes again are left out, so that the share is a lower bound.
        """
        return 4 * self.language_weights + 2 * self.trained_weights


def cost_of(model: torch.nn.Module, family: Family) -> ModelCost:
    """The cost of a model that is about to be trained, adapter included."""
    inputs = model.get_input_embeddings()  # type: ignore[operator]
    outputs = model.get_output_embeddings()  # type: ignore[operator]
    # A matrix that is input and output embedding at once is multiplied with as output.
    looked_up = set() if inputs.weight is getattr(outputs, "weight", None) else {id(p) for p in inputs.parameters()}
    weights = [
        parameter
        for name, parameter in model.named_parameters()
        if part_of(name.removeprefix("base_model.model."), family) == "language"
        and id(parameter) not in looked_up
        # The frozen twin of a module that is trained whole takes no part.
        and ".original_module." not in name
    ]
    return ModelCost(sum(map(_size, weights)), sum(_size(weight) for weight in weights if weight.requires_grad))


def peak_flops(dtype: str, given_tflops: float | None) -> float | None:
    """Floating-point operations that this process's GPU can do in a second.

    None without a GPU, or where neither `given_tflops` nor the table tells: it has 16-bit figures alone.
    """
    if not torch.cuda.is_available():
        return None
    known = peak_tflops(torch.cuda.get_device_name()) if dtype != "float32" else None
    tflops = given_tflops or known
    return None if tflops is None else tflops * 1e12


def peak_tflops(device_name: str) -> float | None:
    """What a GPU can do with 16-bit numbers at most, by its name; None where it is not known."""
    return next((peak for name, peak in _PEAK_TFLOPS.items() if name.lower() in device_name.lower()), None)


@dataclass
class Counts:
    """What some steps took. Numbers of tensors on a GPU are not waited for until they are read."""

    tokens: torch.Tensor | int = 0
    samples: torch.Tensor | int = 0
    seconds: float = 0.0


class Meter(TrainerCallback):
    """Counts what the steps of this process take, between two readings.

    Args:
        cost: of the model, for its FLOPs utilization.
        peak: floating-point operations that one device can do in a second; None where there is no GPU, or it is not known.
        processes: that train together, each counting its own part alike.
    """

    def __init__(self, cost: ModelCost, peak: float | None, processes: int = 1) -> None:
        self._cost = cost
        self._peak = peak
        self._processes = processes
        self._since = Counts()
        self.total = Counts()
        """Of all steps of this attempt."""
        self._started = 0.0

    def count(self, inputs: Mapping[str, torch.Tensor]) -> None:
        """Note the batch of one forward pass."""
        mask = inputs.get("attention_mask")
        tokens = inputs["input_ids"].numel() if mask is None else mask.sum()
        positions = inputs.get("position_ids")
        # Packed examples each start at position 0.
        samples = len(inputs["input_ids"]) if mask is not None or positions is None else (positions == 0).sum()
        for counts in (self._since, self.total):
            counts.tokens += tokens
            counts.samples += samples

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Called by the trainer."""
        self._started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Called by the trainer, before it validates and saves."""
        seconds = time.monotonic() - self._started
        self._since.seconds += seconds
        self.total.seconds += seconds

    def read(self) -> dict[str, float]:
        """Figures of the steps since the last reading: of all processes, but for the memory."""
        figures = self.figures(self._since)
        self._since = Counts()
        return figures

    def figures(self, counts: Counts) -> dict[str, float]:
        """`tokens_per_second`, `samples_per_second`, `memory_gb` and, on a GPU, `gpu_memory_gb` and `mfu`."""
        figures = {"memory_gb": _peak_memory() / 1e9}
        if torch.cuda.is_available():
            figures["gpu_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
        if counts.seconds:
            tokens = float(counts.tokens) / counts.seconds
            figures["tokens_per_second"] = tokens * self._processes
            figures["samples_per_second"] = float(counts.samples) / counts.seconds * self._processes
            if self._peak is not None:
                figures["mfu"] = tokens * self._cost.flops_per_token / self._peak
        return figures


def _peak_memory() -> int:
    """Most memory that this process has held, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _size(parameter: torch.Tensor) -> int:
    # A quantized matrix holds several weights in a number, and tells its own shape; one that DeepSpeed has cut, its size.
    state = getattr(parameter, "quant_state", None)
    size = getattr(parameter, "ds_numel", parameter.numel())
    return int(size if state is None else torch.Size(state.shape).numel())
