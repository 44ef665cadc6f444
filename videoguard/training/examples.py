"""Training examples as tensors, encoded on first use and kept while they fit in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from datasets import Dataset as Rows

from videoguard.augmentation.changes import draw_change
from videoguard.augmentation.samples import change_sample
from videoguard.config import AugmentationSection
from videoguard.dataset.building import messages_of
from videoguard.errors import UserError
from videoguard.frames.store import FrameStore
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import IGNORED, Example, Preprocessor

_KEPT_BYTES = 2 << 30


@dataclass(frozen=True)
class Augmentation:
    """Changed copies of every example."""

    settings: AugmentationSection
    seed: int


class TrainingExamples(torch.utils.data.Dataset[Example]):
    """The examples of one split, in the order of its rows; after them, copy by copy, their changed copies."""

    def __init__(
        self,
        rows: Rows,
        frames: FrameStore | None,
        preprocessor: Preprocessor,
        max_tokens: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self._rows = rows
        self._frames = frames
        self._preprocessor = preprocessor
        self._max_tokens = max_tokens
        self._augmentation = augmentation
        self._kept: dict[int, Example] = {}
        self._kept_bytes = 0

    def __len__(self) -> int:
        copies = 0 if self._augmentation is None else self._augmentation.settings.copies
        return len(self._rows) * (1 + copies)

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
        # A copy is changed by its number and not by the epoch: a resumed training sees the same examples again.
        copy, place = divmod(index, len(self._rows))
        row = self._rows[place]
        messages = messages_of(row)
        frames = None if self._frames is None else self._frames.frames(row["video"])
        if copy and self._augmentation is not None and frames is not None:
            change = draw_change(self._augmentation.settings, self._augmentation.seed, copy, row["id"])
            messages, frames = change_sample(messages, frames, change)
        example = self._preprocessor.example(messages, TimedFrames(frames, self._frames.timestamps(row["video"])))
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
