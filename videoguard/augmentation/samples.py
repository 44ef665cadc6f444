"""A changed copy of one training sample: its frames, and what is said of them."""

from collections.abc import Sequence
from dataclasses import replace

from videoguard.augmentation.changes import Change, Frames, apply_change
from videoguard.augmentation.mirroring import mirror_text
from videoguard.dataset.messages import Message


def change_sample(messages: Sequence[Message], frames: Frames, change: Change) -> tuple[list[Message], Frames]:
    """Conversation and frames after a change; they are mirrored together or not at all.

    Args:
        messages: the conversation, ending with the wanted answer.
        frames: `(frames, height, width, 3) uint8 RGB`.
        change: what is done to the frames; where the words cannot be mirrored safely, it is done without the flip.
    """
    mirrored = mirror_messages(messages) if change.flip else None
    if mirrored is None:
        return list(messages), apply_change(frames, replace(change, flip=False))
    return mirrored, apply_change(frames, change)


def mirror_messages(messages: Sequence[Message]) -> list[Message] | None:
    """The conversation about the mirror image, or None where a text does not allow it; the system message stays."""
    mirrored: list[Message] = []
    for message in messages:
        parts = []
        for part in message["content"]:
            text = part.get("text")
            if message["role"] == "system" or text is None:
                parts.append(part)
                continue
            other = mirror_text(text)
            if other is None:
                return None
            parts.append({**part, "text": other})
        mirrored.append({"role": message["role"], "content": parts})
    return mirrored
