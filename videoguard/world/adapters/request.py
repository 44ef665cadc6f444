"""What the checking process is asked, and what it tells."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.world.adapters.checks import AdapterFacts


class CheckRequest(BaseModel):
    """An adapter to check against a base, and to convert."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: Path
    base: Path
    rank: int | None
    alpha: float | None
    targets: tuple[str, ...] | None
    output: Path
    """Folder for the peft folder in diffusers' words."""


class CheckReply(BaseModel):
    """What the adapter is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facts: AdapterFacts
