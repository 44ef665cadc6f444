"""A byte-level BPE tokenizer with a chat template, trained on the spot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD = "<|pad|>"

_CHATML = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['content'] is string -%}{{ message['content'] }}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{ 'IMAGE' }}
{%- elif part['type'] == 'video' -%}{{ 'VIDEO' }}
{%- elif part['type'] == 'text' -%}{{ part['text'] }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"""


@dataclass(frozen=True)
class Chat:
    """How a family's conversations are written: its special tokens and its template."""

    template: str | None
    marks: tuple[str, ...]
    """Special tokens of the template, `end` among them."""
    end: str
    """The end of a text (`eos_token`); not always that of a turn."""
    start: str | None = None
    """What the tokenizer puts before every text (`bos_token`)."""


def chatml(image: str = "", video: str = "") -> Chat:
    """ChatML, with what stands for an image and for a video."""
    template = _CHATML.replace("IMAGE", image).replace("VIDEO", video)
    return Chat(template, marks=("<|im_start|>", "<|im_end|>"), end="<|im_end|>")


def train_tokenizer(
    corpus: Iterable[str], vocabulary: int, chat: Chat, named_tokens: Mapping[str, str] | None = None
) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `vocabulary` tokens, which include every byte, so that any text can be written.

    `named_tokens` become special tokens and attributes of the tokenizer, as a processor wants them.
    """
    named = dict(named_tokens or {})
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, *chat.marks, *named.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(corpus, trainer)
    if chat.start is not None:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{chat.start} $A", special_tokens=[(chat.start, backend.token_to_id(chat.start))]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=chat.end,
        extra_special_tokens=[mark for mark in chat.marks if mark not in (chat.start, chat.end)],
        padding_side="left",
        model_max_length=4096,
        **named,
        **({} if chat.start is None else {"bos_token": chat.start}),
    )
    tokenizer.chat_template = chat.template
    return tokenizer
