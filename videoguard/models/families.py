"""What differs between families of models, one declaration each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from videoguard.errors import UserError


@dataclass(frozen=True)
class Family:
    """How the models of one `model_type` want their input, and where their parts are.

    Patterns are for `re.fullmatch` on the full names of modules.
    """

    model_type: str
    """As the `config.json` of a model names it."""
    media: Literal["video", "images", "text"] = "video"
    """What is read: videos, images and text; images and text, to which a video is its frames; or text only."""
    processor_options: Mapping[str, object] = field(default_factory=dict)
    """Keyword arguments of every processor call."""
    template_options: Mapping[str, object] = field(default_factory=dict)
    """Variables of the chat template: whatever it would otherwise take from the clock or leave to the caller."""
    chat_template: str | None = None
    """Taken where the model comes without a template, or with one that leaves videos out."""
    thought: str = ""
    """An empty thought at the end of the template's generation prompt, which it leaves out of finished turns."""
    plain_system: bool = False
    """Whether the template wants the text of a system message alone, and not a list of parts."""
    stacked: frozenset[str] = frozenset()
    """Media tensors with a batch axis, in which the samples of a batch are filled up with zeros to the same number."""
    padded: frozenset[str] = frozenset()
    """Media tensors in which what is smaller than others of a batch may be filled up with zeros."""
    streams: bool = False
    """Whether the model goes on from its cache image by image, as the streaming guard has it: its positions are those of the
    tokens, and no token looks ahead."""
    vision: str = r".*vision_tower.*"
    """Pattern of the modules that see."""
    projector: str = r".*multi_modal_projector.*"
    """Pattern of those that bring what was seen into the language model."""
    audio: str | None = None
    """Pattern of those that hear, and that nothing here uses. All that none of the three matches is the language model."""

    @property
    def not_language(self) -> str:
        """Pattern of the modules outside the language model."""
        return "|".join(pattern for pattern in (self.vision, self.projector, self.audio) if pattern is not None)


# The frames of a video are sampled before they come here.
_SAMPLED = {"do_sample_frames": False}
# The bound of pixels a frame that the models were trained with, which the library's processor leaves to the caller.
_QWEN_OPTIONS = {**_SAMPLED, "cap_pixels_per_frame": True}
_QWEN_VISION = r".*\.visual\.(?!merger|deepstack_merger_list).*"
_QWEN_PROJECTOR = r".*\.visual\.(merger|deepstack_merger_list).*"
_GEMMA_PROJECTOR = r".*embed_vision.*"
_GEMMA_AUDIO = r".*(audio_tower|embed_audio).*"

# What SmolVLM's processor takes for conversations with videos, in place of the template that comes with the model.
_SMOLVLM_TEMPLATE = """\
<|im_start|>
{%- for message in messages -%}
{{ message['role'] | capitalize + (':' if message['content'][0]['type'] == 'image' else ': ') }}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' -%}{{ part['text'] }}
{%- elif part['type'] == 'image' -%}{{ '<image>' }}
{%- elif part['type'] == 'video' -%}{{ '<video>' }}
{%- endif -%}
{%- endfor -%}
{{ '<end_of_utterance>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'Assistant:' }}{%- endif -%}"""

# GPT-2 knows no token but the end of a text, which therefore ends an answer.
_PLAIN_TEMPLATE = """\
{%- for message in messages -%}
{{ message['role'] | capitalize + ':\\n' + message['content'] }}
{%- if message['role'] == 'assistant' -%}{{ eos_token }}{%- endif -%}
{{ '\\n\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'Assistant:\\n' }}{%- endif -%}"""


_FAMILIES = {
    family.model_type: family
    for family in (
        # Otherwise eight frames would become forty tiles.
        Family("internvl", processor_options={**_SAMPLED, "crop_to_patches": False}, streams=True),
        Family(
            "gemma3n",
            # Its processor drops a video without a word.
            media="images",
            projector=_GEMMA_PROJECTOR,
            audio=_GEMMA_AUDIO,
        ),
        Family(
            "gemma4",
            processor_options=_SAMPLED,
            thought="<|channel>thought\n<channel|>",
            plain_system=True,
            projector=_GEMMA_PROJECTOR,
            audio=_GEMMA_AUDIO,
        ),
        Family("qwen2_5_vl", processor_options=_QWEN_OPTIONS, vision=_QWEN_VISION, projector=_QWEN_PROJECTOR),
        Family("qwen3_vl", processor_options=_QWEN_OPTIONS, vision=_QWEN_VISION, projector=_QWEN_PROJECTOR),
        Family(
            "smolvlm",
            processor_options=_SAMPLED,
            chat_template=_SMOLVLM_TEMPLATE,
            stacked=frozenset({"pixel_values", "pixel_attention_mask"}),
            vision=r".*vision_model.*",
            projector=r".*connector.*",
        ),
        # Its images are cut into tiles, of which the model takes as many as the size of each image tells.
        Family("llava_onevision", processor_options=_SAMPLED, padded=frozenset({"pixel_values"})),
        Family("gpt2", media="text", chat_template=_PLAIN_TEMPLATE),
        # The template writes the day of its use where it is given none: the prompts of the training would name that day.
        Family("llama", media="text", template_options={"date_string": "26 Jul 2024"}),
        Family("qwen2", media="text"),
        # The answers to train on show no thinking.
        Family("qwen3", media="text", template_options={"enable_thinking": False}),
    )
}


def family_of(model_type: str) -> Family:
    """The family of a `model_type`, as the model's `config.json` names it."""
    if model_type not in _FAMILIES:
        raise UserError(f"model_type {model_type} is not known: known are {', '.join(sorted(_FAMILIES))}")
    return _FAMILIES[model_type]


def require_streaming(model_type: str) -> None:
    """Raise `UserError` where the streaming guard does not run with a family."""
    if not family_of(model_type).streams:
        able = " and ".join(sorted(family.model_type for family in _FAMILIES.values() if family.streams))
        raise UserError(
            f"the streaming guard runs with {able}, and the model is of the family {model_type}: take an InternVL3 model, "
            "such as OpenGVLab/InternVL3-1B-hf"
        )
