"""What a machine is busy with, as MLflow's page "System metrics" shows it."""

import time
from collections.abc import Set as AbstractSet

from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor


class SystemLoad:
    """CPU, memory, disk and network of this machine, and its GPUs where there are any, measured now and then by one thread.

    MLflow's own monitors measure; its thread is not used, because it ends for good at the first call that fails.
    """

    MEASURE = "cpu_utilization_percentage"
    """One of what is measured, on every machine."""

    def __init__(self, seconds: float) -> None:
        self._every = seconds
        self._due = time.monotonic() + seconds
        self._step = 0
        self._monitors: list[BaseMetricsMonitor] = [*_of_any_machine(), *_gpus()]
        # The share of CPU time is that since this thread has asked before.
        self._values()

    def seconds_left(self) -> float:
        """Until it is to be measured again."""
        return max(0.0, self._due - time.monotonic())

    def go_on_after(self, steps: AbstractSet[int]) -> None:
        """Count on from what an earlier part of the run has measured."""
        self._step = max(self._step, max(steps, default=-1) + 1)

    def measure(self) -> tuple[dict[str, float], int]:
        """Values by name, such as `cpu_utilization_percentage`, and the number of the measurement."""
        values = self._values()
        step, self._step = self._step, self._step + 1
        self._due = time.monotonic() + self._every
        return values, step

    def _values(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()  # type: ignore[no-untyped-call]
            values |= monitor.aggregate_metrics()  # type: ignore[no-untyped-call]
            monitor.clear_metrics()  # type: ignore[no-untyped-call]
        return values


def _of_any_machine() -> list[BaseMetricsMonitor]:
    return [CPUMonitor(), DiskMonitor(), NetworkMonitor()]  # type: ignore[no-untyped-call]


def _gpus() -> list[BaseMetricsMonitor]:
    try:
        return [GPUMonitor()]  # type: ignore[no-untyped-call]
    except (ImportError, RuntimeError):
        # No GPU, or no library that asks its driver.
        return []
