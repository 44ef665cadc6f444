"""Prompts and chat messages: the one place where training, inference and serving put a question into words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

from videoguard.manifests.labels import label_of
from videoguard.manifests.sample import Exchange, Sample, Scalar

# Only a name in braces: a prompt may show JSON as it is.
_PLACEHOLDER = re.compile(r"\{\{(?P<literal>\w+)\}\}|\{(?P<name>[^\W\d]\w*)\}")


class Part(TypedDict):
    """A piece of a message: text, or the place of a video or image."""

    type: Literal["text", "video", "image"]
    text: NotRequired[str | None]


class Message(TypedDict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: list[Part]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked about one video."""

    question: str
    system: str | None


@dataclass(frozen=True, slots=True)
class PromptTemplates:
    """The prompts of a recipe, in which `{name}` stands for a value of the row and `{{name}}` for itself.

    Where one is None the row's own question or system message is taken.
    """

    system: str | None = None
    question: str | None = None

    def lacking(self, values: Mapping[str, Scalar]) -> list[str]:
        """Names that the templates use and `values` has not."""
        wanted = {match["name"] for text in (self.system, self.question) for match in _PLACEHOLDER.finditer(text or "")}
        return sorted(name for name in wanted if name is not None and name not in values)

    def asks_for(self, name: str) -> bool:
        """Whether the question puts the value `name` in."""
        return any(match["name"] == name for match in _PLACEHOLDER.finditer(self.question or ""))

    def fill(self, values: Mapping[str, Scalar]) -> Prompt:
        """The prompts with the values of a row, its `question` and `system` among them.

        Raises:
            KeyError: a value is lacking, or there is neither a template nor a question.
        """
        system = str(values["system"]) if "system" in values else None
        return Prompt(
            question=_fill(self.question, values) if self.question is not None else str(values["question"]),
            system=_fill(self.system, values) if self.system is not None else system,
        )


def prompt_values(sample: Sample) -> dict[str, Scalar]:
    """What the placeholders of a template may name: question, system message, label and every other field of the row."""
    own = {"question": sample.question, "system": sample.system, "label": label_of(sample)}
    return {**sample.fields, **{name: value for name, value in own.items() if value is not None}}


def conversation(
    question: str,
    answer: str | None = None,
    system_prompt: str | None = None,
    history: Sequence[Exchange] = (),
    *,
    shows: bool = True,
) -> list[Message]:
    """A question about one video, with its answer where it is given.

    Before it stand the system prompt, where there is one, and earlier exchanges; the video is shown with the first question,
    unless the conversation `shows` nothing.
    """
    messages: list[Message] = []
    if system_prompt is not None:
        messages.append(_say("system", system_prompt))
    for exchange in history:
        messages += [_say("user", exchange.question), _say("assistant", exchange.answer)]
    messages.append(_say("user", question))
    if answer is not None:
        messages.append(_say("assistant", answer))
    if shows:
        first = next(message for message in messages if message["role"] == "user")
        first["content"].insert(0, {"type": "video"})
    return messages


def _say(role: Literal["system", "user", "assistant"], text: str) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _fill(template: str, values: Mapping[str, Scalar]) -> str:
    return _PLACEHOLDER.sub(
        lambda match: f"{{{match['literal']}}}" if match["literal"] is not None else str(values[match["name"]]), template
    )
