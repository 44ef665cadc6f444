"""Changed copies of the training samples."""

from typing import Annotated

from pydantic import Field, model_validator

from videoguard.config.section import Degrees, Fraction, GreyLevel, PositiveInt, Section, Share


class AugmentationSection(Section):
    """Changed copies of the training samples, made of their stored frames; validation and test are never changed.

    A change is drawn once for a copy and is the same in all its frames. 0 leaves it out.
    """

    copies: PositiveInt = 1
    """Changed copies of each training sample, beside the sample itself."""
    flip: Share = 0.0
    """Chance of a mirror image. Left and right change places in question and answer; a sample whose words leave it open
    what they mean is not mirrored."""
    rotate: Degrees = 0.0
    """Largest angle, degrees, either way."""
    blur: Annotated[float, Field(ge=0.0, le=20.0)] = 0.0
    """Largest standard deviation of a Gaussian blur, pixels of the stored frame."""
    brighten: Fraction = 0.0
    """Largest change of brightness, share of it, either way."""
    contrast: Fraction = 0.0
    """Largest change of contrast, share of it, either way."""
    shift: Fraction = 0.0
    """Largest shift, share of width and of height, any way."""
    shear: Annotated[float, Field(ge=0.0, le=45.0)] = 0.0
    """Largest angle of shear, degrees, either way."""
    scale: Fraction = 0.0
    """Largest change of size, share of it, either way."""
    noise: GreyLevel = 0.0
    """Largest standard deviation of added noise, grey levels of 255."""
    tempo: Fraction = 0.0
    """Largest change of speed, share of it, either way: the stored frames are spread wider or closer in time."""

    @model_validator(mode="after")
    def _changes_something(self) -> "AugmentationSection":
        changes = [name for name in type(self).model_fields if name != "copies"]
        if not any(getattr(self, name) for name in changes):
            raise ValueError(f"it changes nothing: set at least one of {', '.join(changes)}, or leave the section out")
        return self
