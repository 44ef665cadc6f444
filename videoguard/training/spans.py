"""`Span`: neighbouring tokens of an example that are alike. Loads no model code."""

from pydantic import BaseModel, ConfigDict


class Span(BaseModel):
    """Neighbouring tokens that are all trained, or all not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    """As the tokenizer writes them; a special token that repeats is told once, with its number."""
    trained: bool
    tokens: int
