"""Settings of the optimisation: what they change, what they must not change, and what is taken where one cannot be had."""

import importlib.util
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from videoguard.config import TrainingSection
from videoguard.errors import UserError
from videoguard.training.arguments import training_arguments
from videoguard.training.optimizers import usable_optimizer
from videoguard.training.train import train

ADAPTER = "adapter/adapter_model.safetensors"


def train_briefly(training_request, folder, **changes):
    """Four steps; the events, the reply and the weights."""
    settings = {"epochs": 1.4, "evaluations": 1, **changes.pop("settings", {})}
    events: list[dict[str, Any]] = []
    reply = train(training_request(folder, settings=settings, **changes), events.append)
    return events, reply, load_file(folder / ADAPTER)


@pytest.fixture(scope="module")
def plain(training_request, tmp_path_factory):
    return train_briefly(training_request, tmp_path_factory.mktemp("plain"))


def assert_same(found, wanted, **tolerance) -> None:
    assert found.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], **tolerance)


def test_gradient_checkpointing_changes_no_weight(training_request, plain, tmp_path):
    _, _, weights = train_briefly(training_request, tmp_path, settings={"gradient_checkpointing": True})
    assert_same(weights, plain[2], rtol=1e-4, atol=1e-6)


def test_a_step_by_length_has_other_examples_and_learns_too(training_request, plain, tmp_path):
    _, reply, weights = train_briefly(training_request, tmp_path, settings={"group_by_length": True})
    assert reply.best_validation_loss == pytest.approx(plain[1].best_validation_loss, rel=0.05)
    assert any(not torch.equal(weights[name], plain[2][name]) for name in weights)


def test_bfloat16_trains_near_float32(training_request, plain, tmp_path):
    _, reply, weights = train_briefly(training_request, tmp_path, dtype="bfloat16")
    assert reply.best_validation_loss == pytest.approx(plain[1].best_validation_loss, rel=0.02)
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU trains in float16")
def test_float16_needs_a_gpu(training_request, tmp_path):
    with pytest.raises(UserError, match=r"model\.dtype is float16: training with it needs a GPU"):
        train(training_request(tmp_path, dtype="float16"), lambda event: None)


@pytest.mark.parametrize("settings", [{"train_whole": ["projector"], "projector_learning_rate": 1e-3}])
def test_a_part_that_is_trained_whole_is_kept_over_a_kill(training_request, settings, tmp_path):
    from tests.kills import KilledError, kill_at

    whole, killed = (
        training_request(tmp_path / name, settings={"evaluations": 3, **settings}) for name in ("whole", "killed")
    )
    train(whole, lambda event: None)
    with pytest.raises(KilledError):
        train(killed, kill_at(6))
    assert train(killed, lambda event: None).resumed_from == 4
    assert (killed.output / ADAPTER).read_bytes() == (whole.output / ADAPTER).read_bytes()
    assert any("projector" in name for name in load_file(whole.output / ADAPTER))


@pytest.mark.parametrize("schedule", ["cosine_with_min_lr", "linear", "polynomial", "inverse_sqrt", "constant_with_warmup"])
def test_a_schedule_is_followed(training_request, schedule, tmp_path):
    """The learning rate after a tenth of warm-up and at the end, of 1e-3 at most."""
    settings = {"schedule": schedule, "learning_rate": 1e-3, "warmup": 0.1, "lowest_rate": 0.2}
    arguments = training_arguments(training_request(tmp_path, settings={**settings, "epochs": 10}), 100, 0)
    from transformers import get_scheduler

    options = arguments.lr_scheduler_kwargs
    assert not isinstance(options, str)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=arguments.learning_rate)
    course = get_scheduler(
        arguments.lr_scheduler_type,
        optimizer,
        arguments.get_warmup_steps(arguments.max_steps),
        arguments.max_steps,
        scheduler_specific_kwargs=options,
    )
    rates = []
    for _ in range(arguments.max_steps):
        optimizer.step()
        course.step()
        rates.append(course.get_last_lr()[0])
    assert max(rates) == pytest.approx(1e-3)
    assert rates[4] == pytest.approx(0.5e-3)
    lowest = {"cosine_with_min_lr": 2e-4, "linear": 0.0, "polynomial": 1e-7, "constant_with_warmup": 1e-3}
    if schedule in lowest:
        assert rates[-1] == pytest.approx(lowest[schedule], abs=1e-9)
    else:
        # 1 / √steps from the end of the warm-up of 10 steps on.
        assert rates[39] == pytest.approx(1e-3 * (10 / 40) ** 0.5)


@pytest.mark.parametrize("optimizer", ["adafactor", "sgd"])
def test_other_optimizers_train(training_request, optimizer, plain, tmp_path):
    settings = {"optimizer": optimizer, "vision_learning_rate": None, "weight_decay": 0.01}
    _, reply, weights = train_briefly(training_request, tmp_path, settings=settings)
    assert reply.optimizer == optimizer
    assert any(not torch.equal(weights[name], plain[2][name]) for name in weights)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
@pytest.mark.parametrize("optimizer", ["paged_adamw_8bit", "adamw_8bit", "paged_adamw"])
def test_optimizers_of_bitsandbytes_train_near_adamw(training_request, optimizer, plain, tmp_path):
    _, reply, _ = train_briefly(training_request, tmp_path, settings={"optimizer": optimizer})
    assert reply.optimizer == optimizer
    assert reply.best_validation_loss == pytest.approx(plain[1].best_validation_loss, rel=0.02)


@pytest.fixture
def without_bitsandbytes(monkeypatch) -> None:
    """Python as it is where the package is not installed."""
    for module in ("videoguard.training.optimizers", "videoguard.models.loading"):
        monkeypatch.setattr(f"{module}.find_spec", lambda name: None)


@pytest.mark.usefixtures("without_bitsandbytes")
def test_what_cannot_be_had_is_replaced_by_name(training_request, plain, tmp_path):
    events, reply, weights = train_briefly(
        training_request,
        tmp_path,
        settings={"optimizer": "paged_adamw_8bit"},
        quantization="4bit",
        attention="flash_attention_2",
    )
    assert [event["note"] for event in events if "note" in event and "first example" not in event["note"]] == [
        "model.quantization is 4bit: bitsandbytes is not installed, so the weights stay whole on this CPU",
        "model.attention is flash_attention_2: there is no GPU, so PyTorch's own attention is taken",
        "training.optimizer is paged_adamw_8bit: bitsandbytes is not installed, so adamw is taken",
    ]
    assert reply.optimizer == "adamw"
    assert_same(weights, plain[2], rtol=0.0, atol=0.0)


@pytest.mark.usefixtures("without_bitsandbytes")
def test_a_fallback_may_be_another_or_none():
    settings = TrainingSection(optimizer="adamw_8bit", optimizer_fallback="adafactor")
    assert usable_optimizer(settings)[0] == "adafactor"
    with pytest.raises(UserError, match=r"training\.optimizer is adamw_8bit: it needs bitsandbytes"):
        usable_optimizer(TrainingSection(optimizer="adamw_8bit", optimizer_fallback="none"))
