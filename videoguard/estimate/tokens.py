"""How many tokens the examples of a training have.

Text is tokenized as it will be. What a clip adds depends on the number and size of its frames and not on what they show, so
that the processor is asked once for each shape, with black frames. A family that writes the time of each frame into the
prompt may differ by a token a frame from clip to clip.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from videoguard.dataset.building import messages_of
from videoguard.dataset.messages import Message
from videoguard.frames.probing import ClipShape
from videoguard.models.media import as_clips, as_images
from videoguard.models.preprocessing import TOKEN_TENSORS, Preprocessor

Row = Mapping[str, Any]


class TokenCounts(BaseModel):
    """Tokens of the examples of a split, prompt and answer together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    longest: int
    longest_sample: str
    mean: float
    total: int
    trained: int
    """Tokens of all answers with their ends of turn."""
    media_bytes: int
    """Largest media tensors of an example, bytes."""


class TokenCounter:
    """Counts the tokens of rows without their frames."""

    def __init__(self, preprocessor: Preprocessor, shapes: Mapping[str, ClipShape]) -> None:
        self._preprocessor = preprocessor
        self._shapes = shapes
        self._added: dict[ClipShape, tuple[int, int]] = {}

    def count(self, row: Row) -> int:
        """Tokens of an example."""
        messages = messages_of(row)
        shape = self._shape(row)
        return self._text(messages, shape)[0] + self._media(messages, shape)[0]

    def summarize(self, rows: Sequence[Row]) -> TokenCounts:
        """The counts of a split; it has at least one row."""
        counts, trained, media = [], 0, 0
        for row in rows:
            messages, shape = messages_of(row), self._shape(row)
            text, answers = self._text(messages, shape)
            added, size = self._media(messages, shape)
            counts.append(text + added)
            trained += answers
            media = max(media, size)
        place = max(range(len(counts)), key=counts.__getitem__)
        return TokenCounts(
            longest=counts[place],
            longest_sample=rows[place]["id"],
            mean=sum(counts) / len(counts),
            total=sum(counts),
            trained=trained,
            media_bytes=media,
        )

    def _shape(self, row: Row) -> ClipShape | None:
        return None if row["video"] is None else self._shapes[row["video"]]

    def _text(self, messages: Sequence[Message], shape: ClipShape | None) -> tuple[int, int]:
        """Tokens of what is written, a placeholder for each video or image among it; and those of the answers."""
        if shape is not None and self._preprocessor.family.media == "images":
            messages, _ = as_images(messages, as_clips(_black(shape)))
        turns = self._preprocessor.chat.turns(messages)
        answers = sum(self._length(turn.answer) for turn in turns if turn.answer is not None)
        return sum(self._length(turn.prompt) for turn in turns) + answers, answers

    def _media(self, messages: Sequence[Message], shape: ClipShape | None) -> tuple[int, int]:
        """Tokens that the frames of a clip add to its placeholders, and the bytes of their tensors."""
        if shape is None:
            return 0, 0
        if shape not in self._added:
            example = self._preprocessor.example(messages, _black(shape))
            size = sum(tensor.nbytes for name, tensor in example.items() if name not in TOKEN_TENSORS)
            self._added[shape] = len(example["input_ids"]) - self._text(messages, shape)[0], size
        return self._added[shape]

    def _length(self, text: str) -> int:
        return len(self._preprocessor.tokenizer(text, add_special_tokens=False)["input_ids"])


def _black(shape: ClipShape) -> np.ndarray:
    return np.zeros((shape.frames, shape.height, shape.width, 3), dtype=np.uint8)
