"""Chat messages, in the content-part form that processors read."""

from typing import Literal, NotRequired, TypedDict


class Part(TypedDict):
    """A piece of a message: text, or the place of a video or image."""

    type: Literal["text", "video", "image"]
    text: NotRequired[str | None]


class Message(TypedDict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: list[Part]


def conversation(question: str, answer: str | None = None, system_prompt: str | None = None) -> list[Message]:
    """A question about one video, after the system prompt where there is one, with its answer where it is given."""
    messages: list[Message] = []
    if system_prompt is not None:
        messages.append({"role": "system", "content": [{"type": "text", "text": system_prompt}]})
    messages.append({"role": "user", "content": [{"type": "video"}, {"type": "text", "text": question}]})
    if answer is not None:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return messages
