"""How many tokens the examples have, known before any is encoded: text is counted, media once for each shape.

A processor writes as many tokens for a video as its frames and their size ask for, whatever they show. So one example of
each shape is encoded, and the others differ from it by their text alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from videoguard.dataset.messages import Message, Part
from videoguard.errors import refuse_all
from videoguard.models.preprocessing import Preprocessor

Shape = tuple[object, ...]


def count_tokens(
    rows: Sequence[Mapping[str, Any]],
    *,
    shape_of: Callable[[Mapping[str, Any]], Shape],
    count_text: Callable[[Mapping[str, Any]], int],
    count_encoded: Callable[[int], int],
) -> list[int]:
    """Tokens of each row's example, in order.

    Args:
        rows: of a split.
        shape_of: what the number of a row's media tokens depends on.
        count_text: tokens of a row's conversation with one placeholder for each medium.
        count_encoded: tokens of the example at a position, encoded; called once for each shape.
    """
    texts: dict[str, int] = {}
    media: dict[Shape, int] = {}
    lengths = []
    for position, row in enumerate(rows):
        # Many rows ask and answer the same.
        words = json.dumps(row["messages"], sort_keys=True)
        if words not in texts:
            texts[words] = count_text(row)
        shape = shape_of(row)
        if shape not in media:
            media[shape] = count_encoded(position) - texts[words]
        lengths.append(texts[words] + media[shape])
    return lengths


def count_text(preprocessor: Preprocessor, messages: Sequence[Message]) -> int:
    """Tokens of a conversation as the chat template writes it, with one placeholder for each medium."""
    if preprocessor.family.media == "images":
        messages = [_with_images(message) for message in messages]
    turns = preprocessor.chat.turns(messages)
    texts = [text for turn in turns for text in (turn.prompt, turn.answer) if text is not None]
    return sum(len(preprocessor.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)


def _with_images(message: Message) -> Message:
    """A message that shows an image for each video, as the placeholder of a family that reads videos as images."""
    parts: list[Part] = [{"type": "image"} if part["type"] == "video" else part for part in message["content"]]
    return {"role": message["role"], "content": parts}


def require_short(rows: Sequence[Mapping[str, Any]], lengths: Sequence[int], max_tokens: int) -> None:
    """Refuse examples longer than `max_tokens`, all at once: cut, they would lose frames or the end of the answer."""
    refuse_all(
        f"training.max_tokens is {max_tokens}; raise it, or take fewer or smaller frames",
        (
            f"sample {row['id']} has {tokens} tokens"
            for row, tokens in zip(rows, lengths, strict=True)
            if tokens > max_tokens
        ),
    )
