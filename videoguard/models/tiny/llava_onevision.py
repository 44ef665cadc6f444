"""The tiny LLaVA-OneVision."""

from collections.abc import Iterable

from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
)

from videoguard.config import TinyModel
from videoguard.models.tiny.parts import HEADS, IMAGE_STATISTICS, INITIALIZER_RANGE, TinyParts, text_config, token_id
from videoguard.models.tiny.tokenizer import Chat, train_tokenizer

_TOKENS = {"image_token": "<image>", "video_token": "<video>"}
# As the models of the hub come: media first, and after a role a space that the generation prompt has not.
_CHAT = Chat(
    """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + ' ' }}
{%- for part in message['content'] if part['type'] == 'image' -%}{{ '<image>' }}{%- endfor -%}
{%- for part in message['content'] if part['type'] == 'video' -%}{{ '<video>' }}{%- endfor -%}
{%- for part in message['content'] if part['type'] == 'text' -%}{{ '\\n' + part['text'] }}{%- endfor -%}
{{ '<|im_end|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}""",
    marks=("<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
)


def llava_onevision(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """LLaVA-OneVision: the patches of a frame are averaged by fours."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _CHAT, _TOKENS)
    square, grid = {"height": size.image_size, "width": size.image_size}, [[size.image_size, size.image_size]]
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=square, image_grid_pinpoints=grid, **IMAGE_STATISTICS),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=square, do_sample_frames=False, **IMAGE_STATISTICS),
        num_image_tokens=(size.image_size // size.patch_size) ** 2,
        vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
    )
    config = LlavaOnevisionConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": size.vision_width,
            "intermediate_size": 2 * size.vision_width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": HEADS,
            "image_size": size.image_size,
            "patch_size": size.patch_size,
            "vision_use_head": False,
            "initializer_range": INITIALIZER_RANGE,
        },
        text_config={"model_type": "qwen2", **text_config(size, tokenizer)},
        image_token_index=token_id(tokenizer, _TOKENS["image_token"]),
        video_token_index=token_id(tokenizer, _TOKENS["video_token"]),
        image_grid_pinpoints=grid,
        tie_word_embeddings=True,
    )
    return TinyParts(LlavaOnevisionForConditionalGeneration, config, processor, tokenizer)
