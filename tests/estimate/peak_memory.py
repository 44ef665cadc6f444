"""Train a text model for three steps and print by how many bytes the peak of the resident memory has grown."""

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel

from videoguard.config import LoraSection
from videoguard.models.base import find_base
from videoguard.models.loading import load_model
from videoguard.training.adapters import attach_adapter


def main() -> None:
    """Called with the folder of a model, the batch size and the tokens of an example."""
    batch, length = int(sys.argv[2]), int(sys.argv[3])
    base = find_base(sys.argv[1])
    model = attach_adapter(load_model(base, "float32"), LoraSection(), base.family).train()
    # What libraries and the optimizer take once is there before the measurement.
    optimizer = torch.optim.AdamW(parameter for parameter in model.parameters() if parameter.requires_grad)
    _step(model, optimizer, 1, 8)
    before = _status_bytes("VmRSS")
    # The libraries took more for a moment as they were loaded: the peak begins again here (proc(5), clear_refs).
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(3):
        _step(model, optimizer, batch, length)
    print(json.dumps({"grown": _status_bytes("VmHWM") - before}))


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _step(model: PeftModel, optimizer: torch.optim.Optimizer, batch: int, length: int) -> None:
    tokens = torch.randint(0, 256, (batch, length))
    model(input_ids=tokens, labels=tokens).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


if __name__ == "__main__":
    main()
