"""What is asked of a preview, and what it shows. Loads no model code."""

from pydantic import BaseModel, ConfigDict

from videoguard.config import RunConfig
from videoguard.dataset.splits import Split
from videoguard.training.spans import Span


class PreviewRequest(BaseModel):
    """A recipe, and which of its samples to show."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: RunConfig
    sample: str | None
    """Id of a sample, or its place in the training split, counted from 0; the first when None."""


class Preview(BaseModel):
    """One example."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample: str
    split: Split
    shown: str | None
    """The clip; None where nothing is shown."""
    frames: tuple[int, int, int] | None
    """Number, height and width (pixels) of its frames."""
    spans: list[Span]
    max_tokens: int

    @property
    def tokens(self) -> int:
        """Of the whole example."""
        return sum(span.tokens for span in self.spans)

    @property
    def trained(self) -> int:
        """Of what the loss covers."""
        return sum(span.tokens for span in self.spans if span.trained)
