"""Tiny Qwen-VL models."""

from collections.abc import Iterable
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from videoguard.config import TinyModel
from videoguard.models.tiny.parts import HEADS, IMAGE_STATISTICS, INITIALIZER_RANGE, TinyParts, text_config, token_ids
from videoguard.models.tiny.tokenizer import chatml, train_tokenizer

_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
_CHAT = chatml(image="<|vision_start|><|image_pad|><|vision_end|>", video="<|vision_start|><|video_pad|><|vision_end|>")
_MERGE = 2
# Qwen 3 bounds the pixels of a whole video, and not those of a frame.
_FRAMES = 16


def qwen2_5_vl(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """Qwen 2.5 VL: two frames become one step of time."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _CHAT, _TOKENS)
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**_pictures(size)),
        tokenizer,
        Qwen2VLVideoProcessor(**_pictures(size), do_sample_frames=False),
        chat_template=tokenizer.chat_template,
    )
    vision = {**_vision(size), "window_size": 2 * _MERGE * size.patch_size, "fullatt_block_indexes": [size.layers - 1]}
    config = Qwen2_5_VLConfig(vision_config=vision, text_config=_text(size, tokenizer), **_places(tokenizer))
    return TinyParts(Qwen2_5_VLForConditionalGeneration, config, processor, tokenizer)


def qwen3_vl(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """Qwen 3 VL: what an early layer sees reaches the language model too."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _CHAT, _TOKENS)
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(**_pictures(size)),
        tokenizer,
        Qwen3VLVideoProcessor(**_pictures(size, frames=_FRAMES), do_sample_frames=False),
        chat_template=tokenizer.chat_template,
    )
    vision = {**_vision(size), "num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
    text = {**_text(size, tokenizer, mrope_interleaved=True), "head_dim": size.text_width // HEADS}
    config = Qwen3VLConfig(vision_config=vision, text_config=text, **_places(tokenizer))
    return TinyParts(Qwen3VLForConditionalGeneration, config, processor, tokenizer)


def _pictures(size: TinyModel, frames: int = 1) -> dict[str, Any]:
    smallest = (_MERGE * size.patch_size) ** 2
    return {
        "patch_size": size.patch_size,
        "merge_size": _MERGE,
        "temporal_patch_size": 2,
        "size": {"shortest_edge": smallest, "longest_edge": size.image_size**2 * frames},
        **IMAGE_STATISTICS,
    }


def _vision(size: TinyModel) -> dict[str, Any]:
    return {
        "depth": size.layers,
        "hidden_size": size.vision_width,
        "intermediate_size": 2 * size.vision_width,
        "num_heads": HEADS,
        "out_hidden_size": size.text_width,
        "patch_size": size.patch_size,
        "initializer_range": INITIALIZER_RANGE,
    }


def _text(size: TinyModel, tokenizer: PreTrainedTokenizerFast, **rope: object) -> dict[str, Any]:
    # Half a head's width, for time, height and width.
    half = size.text_width // HEADS // 2
    sections = [half - 2 * (half // 3), half // 3, half // 3]
    parameters = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": sections, **rope}
    return {**text_config(size, tokenizer), "rope_parameters": parameters}


def _places(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {**token_ids(tokenizer, _TOKENS), "tie_word_embeddings": True}
