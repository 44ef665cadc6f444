"""Weights in 4 and 8 bits, and an adapter trained on them."""

import importlib.util

import pytest
import torch

from videoguard.models.base import find_base
from videoguard.models.loading import load_model, usable_attention, usable_quantization
from videoguard.training.train import train

pytestmark = pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")


@pytest.mark.parametrize(("quantization", "kind"), [("4bit", "Linear4bit"), ("8bit", "Linear8bitLt")])
def test_the_language_model_alone_is_quantized(tiny_base, quantization, kind):
    base = find_base(str(tiny_base))
    model = load_model(base, "float32", quantization=quantization)
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            kinds[".language_model." in name].add(type(module).__name__)
    # The others are the vision tower, the projector and the output.
    assert kinds == {True: {kind}, False: {"Linear"}}


@pytest.mark.parametrize("quantization", ["4bit", "8bit"])
def test_an_adapter_on_quantized_weights_learns(training_request, trained, quantization, tmp_path):
    reply = train(training_request(tmp_path, quantization=quantization), lambda event: None)
    assert reply.total_parameters == trained.reply.total_parameters
    assert reply.trainable_parameters == trained.reply.trainable_parameters
    assert reply.best_validation_loss == pytest.approx(trained.reply.best_validation_loss, rel=0.03)


def test_attention_is_what_runs_here():
    assert usable_attention("eager", "float32") == ("eager", None)
    assert usable_attention("auto", "float32") == (None, None)
    name, note = usable_attention("flash_attention_2", "float32")
    assert name is None
    assert note is not None
    assert note.startswith("model.attention is flash_attention_2: ")
    assert usable_quantization("none") == ("none", None)
