"""Figures of a running training."""

import pytest
import torch

from videoguard.config import LoraSection
from videoguard.models.base import find_base
from videoguard.models.loading import load_model
from videoguard.training.adapters import attach_adapter
from videoguard.training.monitoring import Meter, ModelCost, cost_of, peak_tflops


def test_a_token_costs_what_its_weights_do():
    """6 N where all weights are trained, 4 N where none is."""
    assert ModelCost(1000, 1000).flops_per_token == 6000
    assert ModelCost(1000, 10).flops_per_token == 4020


def test_the_cost_is_that_of_the_language_model_and_its_adapter(tiny_base):
    base = find_base(str(tiny_base))
    model = attach_adapter(load_model(base, "float32"), LoraSection(r=2, targets=["q_proj"]), base.family)
    cost = cost_of(model, base.family)
    language = model.get_submodule("base_model.model.model.language_model")
    # The embeddings of the tiny model are its output too: they are multiplied with.
    assert cost.language_weights == sum(p.numel() for p in language.parameters())
    # Two layers, 128 wide: A is 2 × 128, B 128 × 2.
    assert cost.trained_weights == 2 * (2 * 128 + 128 * 2)


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H200", 989.0),
        ("NVIDIA H100 80GB HBM3", 989.0),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA A100-SXM4-40GB", 312.0),
        ("NVIDIA A10G", 70.0),
        ("NVIDIA L4", 121.0),
        ("NVIDIA L40S", 362.0),
        ("Tesla T4", 65.0),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_peaks_are_told_by_the_name_of_the_gpu(name, tflops):
    assert peak_tflops(name) == tflops


def test_a_reading_is_of_the_steps_since_the_last_and_of_all_processes():
    meter = Meter(ModelCost(1000, 0), peak=1e6, processes=2)
    batch = {"input_ids": torch.ones(3, 5), "attention_mask": torch.tensor([[1] * 5, [1] * 4 + [0], [1] * 3 + [0] * 2])}
    meter.count(batch)
    meter.count(batch)
    meter.total.seconds = meter._since.seconds = 2.0
    figures = meter.read()
    # 24 tokens and 6 samples in 2 seconds, by each of 2 processes; 4,000 operations a token on a device of a million.
    assert (figures["tokens_per_second"], figures["samples_per_second"]) == (24.0, 6.0)
    assert figures["mfu"] == pytest.approx(12 * 4000 / 1e6)
    assert 0.01 < figures["memory_gb"] < 1000
    assert "tokens_per_second" not in meter.read()
    assert meter.figures(meter.total)["tokens_per_second"] == 24.0


def test_packed_examples_are_counted_by_where_they_start():
    meter = Meter(ModelCost(1, 1), None)
    meter.count({"input_ids": torch.ones(1, 6), "position_ids": torch.tensor([[0, 1, 2, 0, 1, 1]])})
    assert (int(meter.total.tokens), int(meter.total.samples)) == (6, 2)
