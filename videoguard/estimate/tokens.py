"""How many tokens the examples of a training have.

Text is tokenized as it will be. What a clip adds depends on the number and size of its frames and not on what they show, so
that the processor is asked once for each shape, with black frames. A family that writes the time of each frame into the
prompt may differ by a token a frame from clip to clip.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from videoguard.dataset.building import messages_of
from videoguard.dataset.messages import Message
from videoguard.estimate.result import TokenCounts
from videoguard.frames.probing import ClipShape
from videoguard.models.preprocessing import TOKEN_TENSORS, Preprocessor
from videoguard.training.lengths import count_text, count_tokens

Row = Mapping[str, Any]


def summarize_tokens(rows: Sequence[Row], preprocessor: Preprocessor, shapes: Mapping[str, ClipShape]) -> TokenCounts:
    """The counts of a split with at least one row.

    Args:
        rows: of the split.
        preprocessor: of the base model.
        shapes: of each clip, by name.
    """
    media: dict[ClipShape, int] = {}

    def count_encoded(place: int) -> int:
        row, shape = rows[place], _shape(rows[place], shapes)
        example = preprocessor.example(messages_of(row), None if shape is None else _black(shape))
        if shape is not None:
            media[shape] = sum(tensor.nbytes for name, tensor in example.items() if name not in TOKEN_TENSORS)
        return len(example["input_ids"])

    counts = count_tokens(
        rows,
        shape_of=lambda row: (_shape(row, shapes),),
        count_text=lambda row: count_text(preprocessor, messages_of(row)),
        count_encoded=count_encoded,
    )
    place = max(range(len(counts)), key=counts.__getitem__)
    return TokenCounts(
        longest=counts[place],
        longest_sample=rows[place]["id"],
        mean=sum(counts) / len(counts),
        total=sum(counts),
        trained=sum(_answer_tokens(preprocessor, messages_of(row)) for row in rows),
        media_bytes=max(media.values(), default=0),
    )


def _answer_tokens(preprocessor: Preprocessor, messages: Sequence[Message]) -> int:
    ends = preprocessor.chat.end_of_turn
    answers = (
        part.get("text") or "" for message in messages if message["role"] == "assistant" for part in message["content"]
    )
    return sum(len(preprocessor.tokenizer(answer + ends, add_special_tokens=False)["input_ids"]) for answer in answers)


def _shape(row: Row, shapes: Mapping[str, ClipShape]) -> ClipShape | None:
    shows = any(part["type"] != "text" for message in messages_of(row) for part in message["content"])
    return shapes[row["video"]] if shows else None


def _black(shape: ClipShape) -> np.ndarray:
    return np.zeros((shape.frames, shape.height, shape.width, 3), dtype=np.uint8)
