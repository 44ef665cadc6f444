"""What differs between families of models, one declaration each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from videoguard.errors import UserError


@dataclass(frozen=True)
class Family:
    """How the models of one `model_type` want their input, and where their parts are."""

    model_type: str
    processor_options: Mapping[str, object] = field(default_factory=dict)
    """Keyword arguments of every processor call."""
    vision: str = r".*vision_tower.*"
    """Pattern of the full names of the modules that see."""
    projector: str = r".*multi_modal_projector.*"
    """Pattern of those that bring what was seen into the language model. All that neither matches is the language model."""

    @property
    def not_language(self) -> str:
        """Pattern of the modules outside the language model."""
        return f"{self.vision}|{self.projector}"


_FAMILIES = {
    family.model_type: family
    for family in (
        # do_sample_frames: the frames are sampled already. crop_to_patches: eight frames would become forty tiles.
        Family("internvl", processor_options={"do_sample_frames": False, "crop_to_patches": False}),
    )
}


def family_of(model_type: str) -> Family:
    """The family of a `model_type`, as the model's `config.json` names it."""
    if model_type not in _FAMILIES:
        raise UserError(f"model_type {model_type} is not known: known are {', '.join(sorted(_FAMILIES))}")
    return _FAMILIES[model_type]
