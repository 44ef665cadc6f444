"""Tiny Gemma models that see."""

from collections.abc import Iterable
from typing import Any

from transformers import (
    Gemma3nAudioFeatureExtractor,
    Gemma3nConfig,
    Gemma3nForConditionalGeneration,
    Gemma3nProcessor,
    Gemma4AudioFeatureExtractor,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4ImageProcessor,
    Gemma4Processor,
    Gemma4VideoProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessor,
)

from videoguard.config import TinyModel
from videoguard.models.tiny.parts import (
    HEADS,
    IMAGE_STATISTICS,
    INITIALIZER_RANGE,
    TinyParts,
    text_config,
    token_id,
    token_ids,
)
from videoguard.models.tiny.tokenizer import Chat, train_tokenizer

_TOKENS = {
    "image_token": "<image_soft_token>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "audio_token": "<audio_soft_token>",
    "boa_token": "<start_of_audio>",
    "eoa_token": "<end_of_audio>",
}
# As the models of the hub come: a text begins with a token of its own, the system message is part of the first question,
# and what ends a turn is not what ends a text.
_GEMMA3N = Chat(
    """\
{{- bos_token }}
{%- set system = messages[0]['content'][0]['text'] + '\\n\\n' if messages[0]['role'] == 'system' else '' -%}
{%- for message in messages if message['role'] != 'system' -%}
{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else 'user') + '\\n' + (system if loop.first else '') }}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{ '<image_soft_token>' }}
{%- elif part['type'] == 'text' -%}{{ part['text'] | trim }}
{%- endif -%}
{%- endfor -%}
{{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}""",
    marks=("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    end="<eos>",
    start="<bos>",
)
# The generation prompt ends with an empty thought, which finished turns are without; a system message is a bare text.
_GEMMA4 = Chat(
    """\
{{- bos_token }}
{%- for message in messages -%}
{{ '<|turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}
{%- if message['role'] == 'system' -%}{{ message['content'] | trim }}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{ '\\n\\n<image_soft_token>\\n\\n' }}
{%- elif part['type'] == 'video' -%}{{ '\\n\\n<|video|>\\n\\n' }}
{%- elif part['type'] == 'text' -%}{{ part['text'] | trim }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<turn|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|turn>model\\n<|channel>thought\\n<channel|>' }}{%- endif -%}""",
    marks=("<bos>", "<eos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|video|>"),
    end="<eos>",
    start="<bos>",
)
_GEMMA3N_IMAGE_TOKENS = 4
_GEMMA3N_AUDIO_TOKENS = 8
_OWN_TOKENS = 8
# The least of the numbers that Gemma 4 knows.
_GEMMA4_IMAGE_TOKENS = 70
_POOLING = 2


def gemma3n(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """Gemma 3n. Its vision tower comes from the package timm."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _GEMMA3N, _TOKENS)
    processor = Gemma3nProcessor(
        Gemma3nAudioFeatureExtractor(),
        SiglipImageProcessor(size={"height": size.image_size, "width": size.image_size}, **IMAGE_STATISTICS),
        tokenizer,
        chat_template=tokenizer.chat_template,
        image_seq_length=_GEMMA3N_IMAGE_TOKENS,
        audio_seq_length=_GEMMA3N_AUDIO_TOKENS,
    )
    words = len(tokenizer)
    config = Gemma3nConfig(
        text_config={
            **_layered(size, tokenizer),
            # Vision and audio have tokens of their own after those of the tokenizer.
            "vocab_size": words + 2 * _OWN_TOKENS,
            "vocab_size_per_layer_input": words,
            "laurel_rank": 8,
            "altup_num_inputs": 2,
            "activation_sparsity_pattern": [0.0] * 2 * size.layers,
        },
        vision_config={
            "architecture": "test_convnext",
            "hidden_size": 64,
            "vocab_size": _OWN_TOKENS,
            "vocab_offset": words,
        },
        audio_config={
            "vocab_size": _OWN_TOKENS,
            "vocab_offset": words + _OWN_TOKENS,
            "hidden_size": 32,
            "conf_num_attention_heads": 2,
            "conf_num_hidden_layers": 1,
            "sscp_conv_channel_size": (8, 4),
        },
        vision_soft_tokens_per_image=_GEMMA3N_IMAGE_TOKENS,
        audio_soft_tokens_per_image=_GEMMA3N_AUDIO_TOKENS,
        **token_ids(tokenizer, _TOKENS),
    )
    return TinyParts(Gemma3nForConditionalGeneration, config, processor, tokenizer)


def gemma4(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """Gemma 4, without ears. A frame takes up to 70 tokens, which makes it the slowest of the tiny models."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _GEMMA4, _TOKENS)
    pictures: dict[str, Any] = {
        "patch_size": size.patch_size,
        "max_soft_tokens": _GEMMA4_IMAGE_TOKENS,
        "pooling_kernel_size": _POOLING,
    }
    processor = Gemma4Processor(
        Gemma4AudioFeatureExtractor(),
        Gemma4ImageProcessor(**pictures),
        tokenizer,
        Gemma4VideoProcessor(**pictures, do_sample_frames=False),
        chat_template=tokenizer.chat_template,
        image_seq_length=_GEMMA4_IMAGE_TOKENS,
    )
    config = Gemma4Config(
        text_config={
            **_layered(size, tokenizer),
            "vocab_size": len(tokenizer),
            "vocab_size_per_layer_input": len(tokenizer),
            "global_head_dim": size.text_width // HEADS,
        },
        vision_config={
            "hidden_size": size.vision_width,
            "intermediate_size": 2 * size.vision_width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "head_dim": size.vision_width // HEADS,
            "pooling_kernel_size": _POOLING,
            "patch_size": size.patch_size,
            "position_embedding_size": 64,
            "initializer_range": INITIALIZER_RANGE,
        },
        audio_config=None,
        video_token_id=token_id(tokenizer, "<|video|>"),
        eoa_token_index=token_id(tokenizer, _TOKENS["eoa_token"]),
        **token_ids(tokenizer, {name: token for name, token in _TOKENS.items() if name != "eoa_token"}),
    )
    return TinyParts(Gemma4ForConditionalGeneration, config, processor, tokenizer)


def _layered(size: TinyModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Pairs of a layer with a window and one without; about half of them take keys and values of earlier ones."""
    return {
        **text_config(size, tokenizer),
        "num_hidden_layers": 2 * size.layers,
        "layer_types": ["sliding_attention", "full_attention"] * size.layers,
        # Whole pairs, so that each finds its kind among the earlier ones.
        "num_kv_shared_layers": 2 * (size.layers // 2),
        "head_dim": size.text_width // HEADS,
        "hidden_size_per_layer_input": 16,
        "sliding_window": 512,
    }
