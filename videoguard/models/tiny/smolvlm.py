"""The tiny SmolVLM."""

from collections.abc import Iterable

from transformers import (
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from videoguard.config import TinyModel
from videoguard.models.tiny.parts import HEADS, IMAGE_STATISTICS, INITIALIZER_RANGE, TinyParts, text_config, token_id
from videoguard.models.tiny.tokenizer import Chat, train_tokenizer

_TOKENS = {
    "fake_image_token": "<fake_token_around_image>",
    "image_token": "<image>",
    "end_of_utterance_token": "<end_of_utterance>",
    "global_image_token": "<global-img>",
    "video_token": "<video>",
}
# As the models of the hub come: the template knows images, and no videos.
_CHAT = Chat(
    """\
<|im_start|>
{%- for message in messages -%}
{{ message['role'] | capitalize + (':' if message['content'][0]['type'] == 'image' else ': ') }}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' -%}{{ part['text'] }}{%- elif part['type'] == 'image' -%}{{ '<image>' }}{%- endif -%}
{%- endfor -%}
{{ '<end_of_utterance>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'Assistant:' }}{%- endif -%}""",
    marks=("<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
)


def smolvlm(size: TinyModel, corpus: Iterable[str]) -> TinyParts:
    """SmolVLM 2, with one token a frame."""
    tokenizer = train_tokenizer(corpus, size.vocabulary, _CHAT, _TOKENS)
    longest = {"longest_edge": size.image_size}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(size=longest, max_image_size=longest, do_image_splitting=False, **IMAGE_STATISTICS),
        tokenizer,
        # The processor reads num_frames and fps, though nothing is sampled.
        SmolVLMVideoProcessor(
            size=longest, max_image_size=longest, do_sample_frames=False, num_frames=8, fps=1, **IMAGE_STATISTICS
        ),
        image_seq_len=1,
        chat_template=tokenizer.chat_template,
    )
    config = SmolVLMConfig(
        vision_config={
            "hidden_size": size.vision_width,
            "intermediate_size": 3 * size.vision_width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": HEADS,
            "image_size": size.image_size,
            "patch_size": size.patch_size,
            "initializer_range": INITIALIZER_RANGE,
        },
        text_config={"model_type": "llama", **text_config(size, tokenizer)},
        image_token_id=token_id(tokenizer, _TOKENS["image_token"]),
        # The patches of a frame are merged until one is left.
        scale_factor=size.image_size // size.patch_size,
        tie_word_embeddings=True,
    )
    return TinyParts(SmolVLMForConditionalGeneration, config, processor, tokenizer)
