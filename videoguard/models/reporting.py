"""What transformers' trainer logs, passed on while it trains."""

import math
from collections.abc import Callable, Mapping

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

Emit = Callable[[dict[str, object]], None]


class Reporter(TrainerCallback):
    """Emits `{"step", "of", "metrics"}` at each logged point, with the metrics under names of our own.

    Args:
        emit: called at each point that has a metric of `names`.
        names: our name of each of the trainer's; others are left out.
        measure: further figures of the steps since the last point, told with their loss. They differ from run to run, so
            they stand in no checkpoint.
    """

    def __init__(
        self, emit: Emit, names: Mapping[str, str], measure: Callable[[], Mapping[str, float]] | None = None
    ) -> None:
        self._emit = emit
        self._names = names
        self._measure = measure

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Called by the trainer."""
        metrics = rename_metrics(logs or {}, self._names)
        if not metrics:
            return
        if self._measure is not None and "loss" in (logs or {}):
            metrics |= self._measure()
        self._emit({"step": state.global_step, "of": state.max_steps, "metrics": metrics})


def rename_metrics(logged: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """The logged values that have a name of ours, under it; one that is not finite is left out, so that no file holds it."""
    return {names[key]: float(value) for key, value in logged.items() if key in names and math.isfinite(value)}
