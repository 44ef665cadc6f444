"""Tiny models that read text only."""

from collections.abc import Iterable

from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from videoguard.config import TinyModel
from videoguard.models.tiny.parts import HEADS, INITIALIZER_RANGE, TinyParts, text_config
from videoguard.models.tiny.tokenizer import Chat, chatml, train_tokenizer

# As GPT-2's own tokenizer: one special token, no template.
_GPT2 = Chat(None, marks=("<|endoftext|>",), end="<|endoftext|>")

_LLAMA = Chat(
    """\
{{- bos_token }}
{%- for message in messages -%}
{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif -%}""",
    marks=("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    end="<|end_of_text|>",
    start="<|begin_of_text|>",
)

# With the empty thought that Qwen 3 writes before the last answer alone, where thinking is switched off.
_QWEN3_THOUGHT = "<think>\\n\\n</think>\\n\\n"
_QWEN3_TEMPLATE = (
    """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['role'] == 'assistant' and loop.last -%}{{ 'THOUGHT' }}{%- endif -%}
{{ message['content'] + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}{%- if enable_thinking is false -%}{{ 'THOUGHT' }}{%- endif -%}
{%- endif -%}"""
).replace("THOUGHT", _QWEN3_THOUGHT)
_QWEN3 = Chat(_QWEN3_TEMPLATE, marks=("<|im_start|>", "<|im_end|>", "<think>", "</think>"), end="<|im_end|>")


def gpt2(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """GPT-2."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _GPT2)
    shared = text_config(size, tokenizer)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=size.text_width,
        n_layer=size.layers,
        n_head=HEADS,
        n_positions=shared["max_position_embeddings"],
        initializer_range=INITIALIZER_RANGE,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.eos_token_id,
    )
    return TinyParts(GPT2LMHeadModel, config, tokenizer, tokenizer)


def llama(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """Llama 3: a turn has an end of its own."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _LLAMA)
    return TinyParts(LlamaForCausalLM, LlamaConfig(**text_config(size, tokenizer)), tokenizer, tokenizer)


def qwen2(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """Qwen 2 and 2.5."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, chatml())
    return TinyParts(Qwen2ForCausalLM, Qwen2Config(**text_config(size, tokenizer)), tokenizer, tokenizer)


def qwen3(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """Qwen 3, with the switch for thinking in its template."""
    tokenizer: PreTrainedTokenizerFast = train_tokenizer(corpus, size.vocabulary, _QWEN3)
    config = Qwen3Config(**text_config(size, tokenizer), head_dim=size.text_width // HEADS)
    return TinyParts(Qwen3ForCausalLM, config, tokenizer, tokenizer)
