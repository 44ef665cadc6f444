"""A conversation as a model reads and writes it: the chat template of its processor, taken turn by turn.

A conversation is composed as it happens: the prompt that asks for the first answer, that answer with its end of turn, what
the template writes from there up to where the second answer starts, and so on. So what a model is asked in training and
what it is asked at inference are the same text by construction, and an earlier turn never changes when a later one is added.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from transformers import PreTrainedTokenizerBase, ProcessorMixin

from videoguard.dataset.messages import Message, Part
from videoguard.errors import UserError
from videoguard.models.families import Family

Processor = ProcessorMixin | PreTrainedTokenizerBase
"""What turns a conversation into tensors: a processor, or the bare tokenizer of a model that reads text only."""

Medium = Literal["video", "image"]

# Stands for an answer where the template is asked what it writes around one.
_MARK = "\N{WHITE SQUARE}answer\N{WHITE SQUARE}"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model reads since its last answer, and what it writes then."""

    prompt: str
    media: tuple[Medium, ...]
    """What the prompt shows, in order."""
    answer: str | None
    """With the end of turn; None where it is not given."""


class ChatTemplate:
    """The chat template of a model.

    Raises:
        UserError: there is none, or it does not continue its own generation prompt: an answer would not be trained where
            the model is to write it.
    """

    def __init__(self, processor: Processor, family: Family) -> None:
        self._processor = processor
        self._family = family
        if processor.chat_template is None:
            raise UserError(
                f"the {family.model_type} model has no chat template: take one that was made to converse (an instruct model)"
            )
        prompt = self._render([_asked()])
        before, mark, after = self._render([_asked(), _marked()], answered=True).partition(_MARK)
        if not mark or not _continues(prompt, before, family.thought):
            raise UserError(
                f"the chat template of the {family.model_type} model does not continue its own generation prompt: "
                f"it asks with {prompt!r}, and writes an answer after {before!r}; give the model another template"
            )
        self.opening: str = before.removeprefix(prompt) if before.startswith(prompt) else ""
        """What the template writes between its generation prompt and an answer, and the model with it."""
        tokenizer = tokenizer_of(processor)
        self._written = _through_first_token(after, tokenizer)
        self.end_of_turn: str = self._written or str(tokenizer.eos_token)
        """What the template writes after an answer, up to its first special token; the end of a text where it has none."""

    def turns(self, messages: Sequence[Message]) -> list[Turn]:
        """The turns of a conversation. It ends with an answer, or where the model is to write one."""
        turns = []
        start = 0
        for index, message in enumerate(messages):
            if message["role"] == "assistant":
                answer = self.answer("".join(_texts(message)))
                turns.append(Turn(self._prompt(messages[:index]), _media(messages[start:index]), answer))
                start = index + 1
        if start < len(messages):
            turns.append(Turn(self._prompt(messages), _media(messages[start:]), None))
        return turns

    def answer(self, text: str) -> str:
        """An answer as the template writes it, with its end of turn."""
        return self.opening + text + self.end_of_turn

    def last_turn(self, messages: Sequence[Message]) -> Turn:
        """What a model reads after the last answer of a conversation that ends where it is to write another."""
        answered = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
        start = answered[-1] + 1 if answered else 0
        return Turn(self._prompt(messages), _media(messages[start:]), None)

    def _prompt(self, messages: Sequence[Message]) -> str:
        """What stands between the last answer of `messages`, or their start, and the next answer."""
        last = max((index for index, message in enumerate(messages) if message["role"] == "assistant"), default=None)
        if last is None:
            return self._render(messages)
        rendered = self._render([*messages[:last], _marked(), *messages[last + 1 :]])
        _, mark, tail = rendered.partition(_MARK)
        if not mark or not tail.startswith(self._written):
            raise UserError(f"the chat template of the {self._family.model_type} model leaves out earlier answers")
        return tail.removeprefix(self._written)

    def _render(self, messages: Sequence[Message], *, answered: bool = False) -> str:
        render = cast("Callable[..., str]", self._processor.apply_chat_template)
        return render(
            [self._readable(message) for message in messages],
            # Named, since SmolVLM's processor would take a template of its own for a conversation with a video.
            chat_template=self._processor.chat_template,
            add_generation_prompt=not answered,
            tokenize=False,
            **self._family.template_options,
        )

    def _readable(self, message: Message) -> dict[str, Any]:
        if self._family.media == "text" or (self._family.plain_system and message["role"] == "system"):
            return {"role": message["role"], "content": "".join(_texts(message))}
        return {"role": message["role"], "content": [_part(part) for part in message["content"]]}


def tokenizer_of(processor: Processor) -> PreTrainedTokenizerBase:
    """The tokenizer of a processor, which may be one itself."""
    return processor if isinstance(processor, PreTrainedTokenizerBase) else processor.tokenizer


def fit_template(processor: Processor, family: Family) -> None:
    """Give a processor the template of its family where it has none, or one that leaves videos out."""
    if family.chat_template is None:
        return
    if processor.chat_template is None or _leaves_videos_out(processor, family):
        processor.chat_template = family.chat_template


def media_tokens(processor: Processor) -> dict[Medium, str]:
    """What stands in a prompt for a video and for an image, where the model reads them."""
    tokens: dict[Medium, str | None] = {
        "video": getattr(processor, "video_token", None),
        "image": getattr(processor, "image_token", None),
    }
    return {kind: token for kind, token in tokens.items() if token is not None}


def _leaves_videos_out(processor: Processor, family: Family) -> bool:
    if family.media != "video":
        return False
    (turn,) = ChatTemplate(processor, family).turns([{"role": "user", "content": [{"type": "video"}]}])
    return media_tokens(processor)["video"] not in turn.prompt


def _continues(prompt: str, before: str, thought: str) -> bool:
    """Whether an answer that stands after `before` in the template stands where `prompt` asks for it.

    A template may write more before the answer than it asks with (the end of a thought, a space), and other white space.
    """
    return before.startswith(prompt) or prompt == before + thought or prompt.split() == before.split()


def _asked() -> Message:
    return {"role": "user", "content": [{"type": "text", "text": "?"}]}


def _marked() -> Message:
    return {"role": "assistant", "content": [{"type": "text", "text": _MARK}]}


def _part(part: Part) -> dict[str, Any]:
    # A row on disk has every field in every part, and some templates look at which fields there are.
    return {"type": "text", "text": _text(part)} if part["type"] == "text" else {"type": part["type"]}


def _text(part: Part) -> str:
    return part.get("text") or ""


def _texts(message: Message) -> list[str]:
    return [_text(part) for part in message["content"] if part["type"] == "text"]


def _media(messages: Sequence[Message]) -> tuple[Medium, ...]:
    return tuple(part["type"] for message in messages for part in message["content"] if part["type"] != "text")


def _through_first_token(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """The start of a text, up to and with the first token that is never split; empty where it has none."""
    added = (token.content for token in tokenizer.added_tokens_decoder.values())
    names = [name for name in added if name.strip() and name in text]
    if not names:
        return ""
    first = min(names, key=lambda name: (text.index(name), -len(name)))
    return text[: text.index(first) + len(first)]
