"""Which videos are good enough."""

from typing import Annotated

from pydantic import Field, model_validator

from videoguard.config.section import GreyLevel, PositiveInt, Section, Share


class QualitySection(Section):
    """Which videos are good enough, judged by their stored frames. A rule that is not set leaves no video out."""

    min_width: PositiveInt | None = None
    """Least width of the source, pixels."""
    min_height: PositiveInt | None = None
    """Least height of the source, pixels."""
    min_brightness: GreyLevel | None = None
    """Least mean grey level, 0 (black) to 255."""
    max_brightness: GreyLevel | None = None
    """Highest mean grey level."""
    min_sharpness: Annotated[float, Field(ge=0.0)] | None = None
    """Least variance of the Laplacian, mean over the stored frames; it falls with the size of the stored frames."""
    min_motion: Share | None = None
    """Least share of neighbouring stored frames that differ visibly; asked of classes that move, not of those that hold."""
    max_black: Share | None = None
    """Highest share of black frames."""
    max_frozen: Share | None = None
    """Highest share of neighbouring stored frames that are the same picture."""
    max_likeness: Share | None = None
    """Of videos whose perceptual hashes agree in more than this share of their bits, the first by name is kept."""
    motion: tuple[str, ...] = ()
    """Classes (exercises) that move, whatever most of their videos show."""
    hold: tuple[str, ...] = ()
    """Classes that are held still, as a plank is."""

    @model_validator(mode="after")
    def _agree(self) -> "QualitySection":
        low, high = self.min_brightness, self.max_brightness
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_brightness {low:g} is above max_brightness {high:g}: no video could be kept")
        both = set(self.motion) & set(self.hold)
        if both:
            raise ValueError(f"{min(both)!r} is in motion and in hold: name it in one")
        return self
