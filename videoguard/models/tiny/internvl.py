"""The tiny InternVL: the real transformers classes at about a million parameters."""

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import (
    GenerationConfig,
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    PreTrainedTokenizerFast,
)

from videoguard.config import TinyModel
from videoguard.models.tiny.tokenizer import INTERNVL_TOKENS, train_tokenizer

_HEADS = 4
_KEY_VALUE_HEADS = 2
_CONTEXT = 4096
# Figures on a dark ground: with the usual mean and deviation of 0.5 so small a model does not learn to see them.
_IMAGE_MEAN, _IMAGE_STD = 0.13, 0.2
# The usual 0.02 leaves a two-layer model near its starting point for too long.
_INITIALIZER_RANGE = 0.05
_LAYER_SCALE = 1.0


def build_internvl(size: TinyModel, corpus: Iterable[str], seed: int, folder: Path) -> int:
    """Build the model and its processor with random weights, save both to `folder`, return the number of parameters.

    `AutoProcessor` and `AutoModelForImageTextToText` load the folder as they load a hub model. The same size, corpus and
    seed give the same bytes.
    """
    tokenizer = train_tokenizer(corpus, size.vocabulary, INTERNVL_TOKENS)
    # One token a frame: the patches are merged until one is left.
    merge = size.patch_size / size.image_size
    processor = _processor(size, tokenizer)
    torch.manual_seed(seed)
    model = InternVLForConditionalGeneration(_config(size, tokenizer, merge))
    model.generation_config = GenerationConfig(pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return int(model.num_parameters())


def _processor(size: TinyModel, tokenizer: PreTrainedTokenizerFast) -> InternVLProcessor:
    square = {"height": size.image_size, "width": size.image_size}
    mean, std = [_IMAGE_MEAN] * 3, [_IMAGE_STD] * 3
    return InternVLProcessor(
        GotOcr2ImageProcessor(crop_to_patches=False, size=square, image_mean=mean, image_std=std),
        tokenizer,
        InternVLVideoProcessor(do_sample_frames=False, size=square, image_mean=mean, image_std=std),
        image_seq_length=1,
        chat_template=tokenizer.chat_template,
    )


def _config(size: TinyModel, tokenizer: PreTrainedTokenizerFast, merge: float) -> InternVLConfig:
    return InternVLConfig(
        vision_config={
            "hidden_size": size.vision_width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": _HEADS,
            "intermediate_size": 3 * size.vision_width,
            "image_size": size.image_size,
            "patch_size": size.patch_size,
            "use_qk_norm": False,
            "norm_type": "layer_norm",
            "initializer_range": _INITIALIZER_RANGE,
            "layer_scale_init_value": _LAYER_SCALE,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": size.text_width,
            "intermediate_size": 2 * size.text_width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": _HEADS,
            "num_key_value_heads": _KEY_VALUE_HEADS,
            "max_position_embeddings": _CONTEXT,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "initializer_range": _INITIALIZER_RANGE,
        },
        image_token_id=tokenizer.get_vocab()[INTERNVL_TOKENS["context_image_token"]],
        image_seq_length=1,
        downsample_ratio=merge,
        tie_word_embeddings=True,
    )
