"""What a night is asked for: the form that the Prefect pages show, and what the command line fills in."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from videoguard.config import NightlyModel, RunConfig


class NightlyOptions(BaseModel):
    """A nightly evaluation. What is left empty is as the recipe says."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    recipe: str = "configs/quickstart.yaml"
    """YAML recipe, relative to the folder of the worker."""
    overrides: list[str] = []
    """Settings in place of the recipe's, each section.key=value."""
    models: list[NightlyModel] = []
    """Which models are asked; empty: those of the recipe, which are all three by default."""
    minimum_drop: Annotated[float, Field(ge=0.0)] | None = None
    """Least fall of a mean that counts as a regression."""
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Corrected p-value below which a fall is shown."""
    promote: bool | None = None
    """Whether a candidate that is shown to be better becomes champion."""
    notify: list[str] = []
    """Apprise URLs that are told where the night falls short, besides those of the recipe; $NAME is a variable."""
    new_standard: Annotated[str, Field(min_length=1)] | None = None
    """Why this night begins a new standard: it is compared with no earlier one."""
    refresh: list[str] = []
    """Steps to make again though they are stored."""
    late_after_hours: Annotated[float, Field(gt=0.0)] = 6.0
    """A scheduled night that starts later than this is skipped."""

    def apply(self, config: RunConfig) -> RunConfig:
        """The recipe with these options in the place of its own."""
        rule = config.nightly
        changed: dict[str, object] = {
            "models": tuple(self.models) or rule.models,
            "notify": (*rule.notify, *self.notify),
        }
        for name in ("minimum_drop", "alpha", "promote"):
            value = getattr(self, name)
            if value is not None:
                changed[name] = value
        return config.model_copy(update={"nightly": rule.model_copy(update=changed)})
