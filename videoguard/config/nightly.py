"""What is looked at every night, and what counts as a regression."""

from typing import Annotated, Literal

from pydantic import Field

from videoguard.config.section import PositiveInt, Section

NightlyModel = Literal["champion", "candidate", "base"]


class DriftSection(Section):
    """When the new samples are told to be of another kind than the earlier ones: shown by a test, and large enough."""

    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """P-value, after Holm's correction over all tests of a night, below which a difference is shown."""
    distance: Annotated[float, Field(ge=0.0)] = 0.25
    """Least Wasserstein distance of a measured value, in standard deviations of the earlier samples."""
    label_distance: Annotated[float, Field(ge=0.0, le=1.0)] = 0.15
    """Least Jensen-Shannon distance of the mix of labels, from 0 (the same) to 1 (nothing in common)."""
    least: PositiveInt = 8
    """Fewest new videos, and fewest earlier ones, that are tested at all."""
    fails: bool = False
    """Whether drift of the inputs alone makes a night fall short."""


class NightlySection(Section):
    """The flow `nightly-eval`."""

    models: tuple[NightlyModel, ...] = ("champion", "candidate", "base")
    """Which models are asked; one that does not exist is left out and named."""
    metrics: tuple[str, ...] | None = None
    """Metrics of the champion that may not fall; absent, those of the rule of promotion: all of which one way is better."""
    minimum_drop: Annotated[float, Field(ge=0.0)] = 0.01
    """Least fall of a mean that counts, in the units of the metric."""
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """P-value, after Holm's correction, below which a fall is shown."""
    window: PositiveInt = 7
    """Earlier nights that tonight is compared with: the last good one and the oldest good one of them."""
    promote: bool = True
    """Whether a candidate that the rule of promotion finds better on tonight's samples becomes champion."""
    drift: DriftSection = DriftSection()
    """When inputs have changed."""
    notify: tuple[str, ...] = ()
    """Apprise URLs that are told of a night that fell short; `$NAME` stands for a variable of the environment."""
