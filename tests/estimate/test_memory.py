"""The formula of the memory, worked out by hand and held against what a training takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import GPT2Config, LlamaConfig

from videoguard.config import LoraSection, TinyModel, TrainingSection
from videoguard.estimate.memory import TrainingShape, estimate_memory


def shape(**changes: object) -> TrainingShape:
    settings: dict[str, object] = {
        "batch_size": 2,
        "longest": 100,
        "media_bytes": 0,
        "dtype": "float32",
        "quantization": "none",
        "optimizer": "adamw",
        "gradient_checkpointing": False,
    }
    return TrainingShape(**(settings | changes))  # type: ignore[arg-type]


LLAMA = LlamaConfig(
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=1000,
)
# 200 tokens of 10 · 64 + 4 · 32 + 4 · 128 = 1,280 numbers of 4 bytes in a layer.
LAYER = 200 * 1_280 * 4


def parts(shape: TrainingShape, *, is_gpu: bool = False) -> dict[str, int]:
    needs = estimate_memory(LLAMA, base=10_000, quantized=8_000, trainable=500, shape=shape, is_gpu=is_gpu)
    return {need.part: need.bytes for need in needs}


def test_each_part_is_what_it_is_made_of():
    assert parts(shape()) == {
        "weights": 40_000,
        "adapter": 2_000,
        "gradients": 2_000,
        "optimizer": 4_000,
        # Logits, their logarithms and their gradients, in 4 bytes each.
        "activations": 3 * LAYER + 200 * 1000 * 12,
        "allocator": round(0.83 * (3 * LAYER + 200 * 1000 * 12)),
    }


def test_checkpointing_keeps_the_inputs_of_layers_and_one_layer():
    kept = 3 * 200 * 64 * 4 + LAYER
    assert parts(shape(gradient_checkpointing=True))["activations"] == kept + 200 * 1000 * 12


def test_quantized_weights_are_smaller_and_the_others_stay():
    # 8,000 of 10,000 weights in 4 bits with a scale of 4 bytes for each 64.
    assert parts(shape(quantization="4bit", dtype="bfloat16"))["weights"] == 2_000 * 2 + 4_500
    assert parts(shape(quantization="8bit", dtype="bfloat16"))["weights"] == 2_000 * 2 + 8_000


def test_optimizers_of_8_bits_take_a_quarter():
    assert parts(shape(optimizer="paged_adamw_8bit"))["optimizer"] == 1_000


def test_half_the_bytes_in_16_bits_but_for_the_logits():
    found = parts(shape(dtype="bfloat16", media_bytes=300), is_gpu=True)
    # Logits in 2 bytes; their copy, logarithms and gradients in 4.
    assert found["activations"] == 3 * LAYER // 2 + 200 * 1000 * 14
    assert found["media"] == 2 * 2 * 300
    assert found["CUDA"] == 600_000_000


def test_gpt2_names_its_sizes_otherwise():
    config = GPT2Config(n_embd=64, n_layer=3, n_head=4, vocab_size=1000)
    (activations,) = (
        need.bytes
        for need in estimate_memory(config, base=1, quantized=0, trainable=1, shape=shape(), is_gpu=False)
        if need.part == "activations"
    )
    assert activations == 3 * 200 * (10 * 64 + 4 * 64 + 4 * 256) * 4 + 200 * 1000 * 12


@pytest.mark.slow
def test_the_estimate_is_near_what_a_training_takes(tmp_path: Path) -> None:
    from transformers import AutoConfig

    from videoguard.estimate.parameters import build_adapted, count_parameters
    from videoguard.models.base import find_base
    from videoguard.models.tiny.building import build_tiny

    build_tiny(TinyModel(family="llama", text_width=512, layers=6), ["a few words"], 0, tmp_path)
    counts = count_parameters(build_adapted(find_base(str(tmp_path)), TrainingSection(lora=LoraSection())))
    batch, length = 4, 512
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("peak_memory.py")), str(tmp_path), str(batch), str(length)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    measured = json.loads(child.stdout.splitlines()[-1])["grown"]
    needs = estimate_memory(
        AutoConfig.from_pretrained(tmp_path),
        base=counts.base,
        quantized=0,
        trainable=counts.trainable,
        shape=shape(batch_size=batch, longest=length),
        is_gpu=False,
    )
    # All else is there before, from the step that warmed up.
    estimated = sum(need.bytes for need in needs if need.part in {"activations", "allocator"})
    assert estimated == pytest.approx(measured, rel=0.35), f"{estimated:,} of {measured:,} bytes"
