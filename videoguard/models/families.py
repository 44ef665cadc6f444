"""What differs between families of models, one declaration each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from videoguard.errors import UserError

_NOTHING = r"(?!)"


@dataclass(frozen=True)
class Family:
    """How the models of one `model_type` want their input, and where their parts are.

    Patterns are for `re.fullmatch` on the full names of modules.
    """

    model_type: str
    media: Literal["video", "images", "text"] = "video"
    """What is read: videos, images and text; images and text, to which a video is its frames; or text only."""
    processor_options: Mapping[str, object] = field(default_factory=dict)
    """Keyword arguments of every processor call."""
    template_options: Mapping[str, object] = field(default_factory=dict)
    """Variables of the chat template: whatever it would otherwise take from the clock or leave to the caller."""
    chat_template: str | None = None
    """The template of a model that comes without one."""
    stacked: frozenset[str] = frozenset()
    """Media tensors with a batch axis, in which the samples of a batch are filled up with zeros to the same number."""
    padded: frozenset[str] = frozenset()
    """Media tensors in which what is smaller than others of a batch may be filled up with zeros."""
    vision: str = r".*vision_tower.*"
    """Pattern of the modules that see."""
    projector: str = r".*multi_modal_projector.*"
    """Pattern of those that bring what was seen into the language model. All that neither matches is the language model."""

    @property
    def not_language(self) -> str:
        """Pattern of the modules outside the language model."""
        return f"{self.vision}|{self.projector}"


def _text(model_type: str, **quirks: object) -> Family:
    return Family(model_type, media="text", vision=_NOTHING, projector=_NOTHING, **quirks)  # type: ignore[arg-type]


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
        # do_sample_frames: the frames are sampled already. crop_to_patches: eight frames would become forty tiles.
        Family("internvl", processor_options={"do_sample_frames": False, "crop_to_patches": False}),
        _text("gpt2", chat_template=_PLAIN_TEMPLATE),
        # The template writes the day of its use where it is given none: the prompts of the training would end with that day.
        _text("llama", template_options={"date_string": "26 Jul 2024"}),
        _text("qwen2"),
        # The answers to train on show no thinking.
        _text("qwen3", template_options={"enable_thinking": False}),
    )
}


def family_of(model_type: str) -> Family:
    """The family of a `model_type`, as the model's `config.json` names it."""
    if model_type not in _FAMILIES:
        raise UserError(f"model_type {model_type} is not known: known are {', '.join(sorted(_FAMILIES))}")
    return _FAMILIES[model_type]
