"""What a tiny model that reads text alone is pre-trained on: lines of the training split's questions, to be written again.

It learns to copy what it reads, and sees no wanted answer. The validation and test splits are not opened.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from videoguard.dataset.building import messages_of, read_split
from videoguard.dataset.messages import Message

_FEWEST, _MOST = 2, 5
_FRAMING_TIMES = 20


def training_texts(dataset: Path) -> list[str]:
    """Every message of the training split, answers too: the tokenizer is made to write them in few tokens."""
    rows = read_split(dataset, "train")
    said = [part["text"] or "" for row in rows for message in messages_of(row) for part in message["content"]]
    return [*said, *["system\n", "user\n", "assistant\n"] * _FRAMING_TIMES]


def question_lines(dataset: Path) -> list[str]:
    """The distinct lines that say something in what is asked in the training split, sorted."""
    asked = (message for row in read_split(dataset, "train") for message in messages_of(row) if _asks(message))
    texts = (part["text"] or "" for message in asked for part in message["content"])
    return sorted({line for text in texts for line in text.splitlines() if line.strip()})


def draw_copies(lines: Sequence[str], count: int, seed: int) -> list[str]:
    """Texts of a few of the lines in random order: each is a question, and the answer to it."""
    draw = random.Random(seed)
    most = min(_MOST, len(lines))
    return ["\n".join(draw.sample(lines, draw.randint(min(_FEWEST, most), most))) for _ in range(count)]


def _asks(message: Message) -> bool:
    return message["role"] != "assistant"
