"""The tiny InternVL."""

from collections.abc import Iterable

from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
)

from videoguard.config import TinyModel
from videoguard.models.tiny.parts import HEADS, IMAGE_STATISTICS, INITIALIZER_RANGE, TinyParts, text_config, token_id
from videoguard.models.tiny.tokenizer import chatml, train_tokenizer

TOKENS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
CHAT = chatml(image="<IMG_CONTEXT>\\n", video="<video>\\n")
_LAYER_SCALE = 1.0


def internvl(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """InternVL 3, at about 0.66 million parameters: one token a frame."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, CHAT, TOKENS)
    square = {"height": size.image_size, "width": size.image_size}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(crop_to_patches=False, size=square, **IMAGE_STATISTICS),
        tokenizer,
        InternVLVideoProcessor(do_sample_frames=False, size=square, **IMAGE_STATISTICS),
        image_seq_length=1,
        chat_template=tokenizer.chat_template,
    )
    config = InternVLConfig(
        vision_config={
            "hidden_size": size.vision_width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": HEADS,
            "intermediate_size": 3 * size.vision_width,
            "image_size": size.image_size,
            "patch_size": size.patch_size,
            "use_qk_norm": False,
            "norm_type": "layer_norm",
            "initializer_range": INITIALIZER_RANGE,
            "layer_scale_init_value": _LAYER_SCALE,
        },
        text_config={"model_type": "qwen2", **text_config(size, tokenizer), "use_sliding_window": False},
        image_token_id=token_id(tokenizer, TOKENS["context_image_token"]),
        image_seq_length=1,
        # The patches of a frame are merged until one is left.
        downsample_ratio=size.patch_size / size.image_size,
        tie_word_embeddings=True,
    )
    return TinyParts(InternVLForConditionalGeneration, config, processor, tokenizer)
