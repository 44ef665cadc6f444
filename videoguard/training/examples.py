"""Training examples as tensors, encoded on first use and kept while they fit in memory."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
from videoguard.training.lengths import Shape, count_text, count_tokens, require_short

Row = Mapping[str, Any]

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
        self._is_full = False
        self._keeping = threading.Lock()
        self._coming: dict[int, Future[Example | None]] = {}
        # A tokenizer is not made to be asked by two threads at once.
        self._processing = threading.Lock()

    def __len__(self) -> int:
        copies = 0 if self._augmentation is None else self._augmentation.settings.copies
        return len(self._rows) * (1 + copies)

    def __getitem__(self, index: int) -> Example:
        example = self._kept_or_encoded(index)
        # Lengths are known before, to a few tokens where the processor writes times: nothing is cut all the same.
        require_short([self._row(index)], [len(example["input_ids"])], self._max_tokens)
        return example

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each example, from texts and the sizes of stored frames; see `count_tokens`."""
        rows = list(self._rows)
        lengths = count_tokens(
            rows,
            shape_of=self._shape,
            count_text=lambda row: count_text(self._preprocessor, messages_of(row)),
            count_encoded=lambda place: len(self._kept_or_encoded(place)["input_ids"]),
        )
        return lengths * (len(self) // len(rows)) if rows else []

    def require_short(self) -> None:
        """Refuse the split where an example is longer than `max_tokens`, naming every one."""
        rows = list(self._rows)
        require_short(rows, self.lengths[: len(rows)], self._max_tokens)

    @contextmanager
    def encoding_ahead(self) -> Iterator[None]:
        """Within the block another thread encodes examples, as their frames are stored, until no more are kept.

        Where the model computes on one core or on a GPU, the first epoch then waits less for pictures to be read.
        """
        with ThreadPoolExecutor(1, "encoding-ahead") as ahead:
            missing = sorted((index for index in range(len(self)) if index not in self._kept), key=self._place)
            self._coming = {index: ahead.submit(self._encode_and_keep, index) for index in missing}
            try:
                yield
            finally:
                self._coming = {}
                ahead.shutdown(cancel_futures=True)

    def _kept_or_encoded(self, index: int) -> Example:
        if index in self._kept:
            return self._kept[index]
        coming = self._coming.pop(index, None)
        if coming is not None and not coming.cancel():
            example = coming.result()
            if example is not None:
                return example
        example = self._encode(index)
        self._keep(index, example)
        return example

    def _encode_and_keep(self, index: int) -> Example | None:
        """The example; None where no more are kept, so that it would be encoded for nothing."""
        if self._is_full:
            return None
        example = self._encode(index)
        self._keep(index, example)
        return example

    def _keep(self, index: int, example: Example) -> None:
        size = sum(tensor.nbytes for tensor in example.values())
        with self._keeping:
            if self._kept_bytes + size > _KEPT_BYTES:
                self._is_full = True
            else:
                self._kept[index] = example
                self._kept_bytes += size

    def _row(self, index: int) -> Row:
        row: Row = self._rows[index % len(self._rows)]
        return row

    def _place(self, index: int) -> tuple[int, ...]:
        video = self._row(index)["video"]
        return () if video is None or self._frames is None else self._frames.place_of(video)

    def _shape(self, row: Row) -> Shape:
        media = tuple(part["type"] for message in messages_of(row) for part in message["content"] if part["type"] != "text")
        if row["video"] is None or self._frames is None:
            return media
        return (*media, *self._frames.shape(row["video"]))

    def _encode(self, index: int) -> Example:
        # A copy is changed by its number and not by the epoch: a resumed training sees the same examples again.
        copy, row = index // len(self._rows), self._row(index)
        messages = messages_of(row)
        if row["video"] is None:
            with self._processing:
                return self._preprocessor.example(messages)
        assert self._frames is not None
        frames = self._frames.frames(row["video"])
        if copy and self._augmentation is not None:
            change = draw_change(self._augmentation.settings, self._augmentation.seed, copy, row["id"])
            messages, frames = change_sample(messages, frames, change)
        shown = TimedFrames(frames, self._frames.timestamps(row["video"]))
        with self._processing:
            return self._preprocessor.example(messages, shown)


def require_trained_tokens(examples: Sequence[Example]) -> None:
    """Refuse examples of which no token, or every token, is trained: the chat template would not fit the model."""
    for example in examples:
        trained = int((example["labels"] != IGNORED).sum())
        total = len(example["labels"])
        if not 0 < trained < total:
            raise UserError(
                f"{trained} of {total} tokens of an example are trained: the answer must be, the prompt must not"
            )
