"""A batch that does not fit: the same steps with smaller batches, from the last checkpoint on."""

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.kills import KilledError, kill_at
from videoguard.errors import UserError
from videoguard.models.memory import telling_exhaustion
from videoguard.subprocesses import MemoryExhaustedError
from videoguard.training.memory import train_within_memory
from videoguard.training.train import train

ADAPTER = "adapter/adapter_model.safetensors"
# More than any machine has: PyTorch's own allocator refuses it.
TOO_MUCH = 1 << 60


def exhaust_at(step: int, events: list[dict[str, Any]], times: int = 1):
    """A listener that takes more memory than there is once a step was told, as often as wanted."""

    def listen(event) -> None:
        events.append(event)
        backed_off = sum("out of memory" in event.get("note", "") for event in events)
        if event["step"] >= step and event["metrics"] and backed_off < times:
            torch.empty(TOO_MUCH, dtype=torch.uint8)

    return listen


def test_half_the_batch_twice_accumulated_is_the_same_training(training_request, trained, tmp_path):
    events: list[dict[str, Any]] = []
    reply = train_within_memory(training_request(tmp_path), exhaust_at(6, events), train)
    notes = [event["note"] for event in events if "note" in event]
    told = [note for note in notes if "first example" not in note]
    assert told == ["out of memory with batches of 10: now 5, accumulated 2 times", "resumed from step 4"]
    assert (reply.batch_size, reply.accumulation, reply.steps) == (5, 2, trained.reply.steps)
    found, wanted = (load_file(folder / ADAPTER) for folder in (tmp_path, trained.folder))
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-3, atol=1e-5)


def test_what_fitted_is_remembered_by_the_next_start(training_request, tmp_path):
    # 16 steps, a checkpoint every 5.
    request = training_request(tmp_path, settings={"batch_size": 9})
    events: list[dict[str, Any]] = []
    grow = exhaust_at(1, events, times=2)

    def listen(event) -> None:
        grow(event)
        if event["metrics"]:
            kill_at(7)(event)

    with pytest.raises(KilledError):
        train_within_memory(request, listen, train)
    # 9 has no divisor between 4 and 9 but 3, and 3 none but 1.
    assert json.loads((request.checkpoints / "batch.json").read_text()) == {"batch_size": 1, "accumulation": 9}
    reply = train_within_memory(request, lambda event: None, train)
    assert (reply.batch_size, reply.accumulation, reply.resumed_from) == (1, 9, 5)


def test_a_batch_of_one_that_does_not_fit_is_refused(training_request, tmp_path):
    request = training_request(tmp_path, settings={"batch_size": 1, "epochs": 0.1})
    with pytest.raises(UserError, match=r"training.batch_size is 1 and does not fit into memory: take fewer"):
        train_within_memory(request, exhaust_at(1, []), train)


def test_only_want_of_memory_counts():
    with pytest.raises(MemoryExhaustedError, match="can't allocate memory"), telling_exhaustion():
        torch.empty(TOO_MUCH, dtype=torch.uint8)
    with pytest.raises(MemoryExhaustedError, match="CUDA out of memory"), telling_exhaustion():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
    with pytest.raises(RuntimeError, match="shape"), telling_exhaustion():
        torch.zeros(2) @ torch.zeros(3, 3)
