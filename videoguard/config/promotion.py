"""When a new version takes the place of the champion."""

from typing import Annotated

from pydantic import Field

from videoguard.config.section import Section


class PromotionSection(Section):
    """The rule by which a registered version becomes champion: shown better on the same samples, and worse in nothing."""

    metric: str | None = None
    """Metric that has to rise; the first of `evaluation.metrics` when absent."""
    minimum_gain: Annotated[float, Field(ge=0.0)] = 0.0
    """Least gain of its mean, in the units of the metric."""
    guards: tuple[str, ...] | None = None
    """Metrics that may not fall; when absent, all others of the evaluation of which one way is better."""
    tolerated_fall: Annotated[float, Field(ge=0.0)] = 0.01
    """Fall of a guard's mean that is let pass where the test does not show it."""
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """P-value below which the paired test shows a gain or a fall."""
