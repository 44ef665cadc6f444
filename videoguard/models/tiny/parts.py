"""What every tiny model is made of, and the numbers that they share."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from videoguard.config import TinyModel
from videoguard.models.chat import Processor

HEADS = 4
_KEY_VALUE_HEADS = 2
_CONTEXT = 4096
# Figures on a dark ground: with the usual mean and deviation of 0.5 so small a model does not learn to see them.
IMAGE_STATISTICS: dict[str, Any] = {"image_mean": [0.13] * 3, "image_std": [0.2] * 3}
# The usual 0.02 leaves a two-layer model near its starting point for too long.
INITIALIZER_RANGE = 0.05


class TinyParts(NamedTuple):
    """A model that is not yet built, and what makes its input."""

    model_class: type[PreTrainedModel]
    config: PreTrainedConfig
    processor: Processor
    tokenizer: PreTrainedTokenizerFast


def text_config(size: TinyModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The language model, in the words that Llama, Qwen and what is built on them share."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": size.text_width,
        "intermediate_size": 2 * size.text_width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": _KEY_VALUE_HEADS,
        "max_position_embeddings": _CONTEXT,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "tie_word_embeddings": True,
        "initializer_range": INITIALIZER_RANGE,
    }


def token_ids(tokenizer: PreTrainedTokenizerFast, named: Mapping[str, str]) -> dict[str, Any]:
    """Numbers of named tokens, under the names that configurations have for them."""
    return {f"{name}_id": token_id(tokenizer, token) for name, token in named.items()}


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """Number of a special token."""
    return int(tokenizer.get_vocab()[token])
