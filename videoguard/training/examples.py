"""Training examples as tensors, encoded on first use and kept while they fit in memory."""

from collections.abc import Sequence

import torch
from datasets import Dataset as Rows

from videoguard.dataset.building import messages_of
from videoguard.errors import UserError
from videoguard.frames.store import FrameStore
from videoguard.models.preprocessing import IGNORED, Example, Preprocessor

_KEPT_BYTES = 2 << 30


class TrainingExamples(torch.utils.data.Dataset[Example]):
    """The examples of one split, in the order of its rows."""

    def __init__(self, rows: Rows, frames: FrameStore, preprocessor: Preprocessor, max_tokens: int) -> None:
        self._rows = rows
        self._frames = frames
        self._preprocessor = preprocessor
        self._max_tokens = max_tokens
        self._kept: dict[int, Example] = {}
        self._kept_bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        if index in self._kept:
            return self._kept[index]
        example = self._encode(index)
        size = sum(tensor.nbytes for tensor in example.values())
        if self._kept_bytes + size <= _KEPT_BYTES:
            self._kept[index] = example
            self._kept_bytes += size
        return example

    def _encode(self, index: int) -> Example:
        row = self._rows[index]
        example = self._preprocessor.example(messages_of(row), self._frames.frames(row["video"]))
        tokens = len(example["input_ids"])
        if tokens > self._max_tokens:
            raise UserError(
                f"sample {row['id']} has {tokens} tokens: training.max_tokens is {self._max_tokens}; "
                "raise it, or take fewer frames"
            )
        return example


def require_trained_tokens(examples: Sequence[Example]) -> None:
    """Refuse examples of which no token, or every token, is trained: the chat template would not fit the model."""
    for example in examples:
        trained = int((example["labels"] != IGNORED).sum())
        total = len(example["labels"])
        if not 0 < trained < total:
            raise UserError(
                f"{trained} of {total} tokens of an example are trained: the answer must be, the prompt must not"
            )
