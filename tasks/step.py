"""What all steps share: the cache key of the design, what is retried, and where progress goes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from prefect import Task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.settings import get_current_settings

from videoguard.artifacts import Artifact, ArtifactStore, Draft, Provenance
from videoguard.errors import UserError
from videoguard.progress import Progress, tell

HOUR = 3600.0
Event = dict[str, Any]


def store_in(state: Path) -> ArtifactStore:
    """The artifact store of a state folder."""
    return ArtifactStore(state / "artifacts")


def make(state: Path, provenance: Provenance, fill: Callable[[Draft], None]) -> Artifact:
    """The artifact of `provenance`: the stored one, else a new one that `fill` writes."""
    store = store_in(state)
    found = store.find(provenance)
    if found is None:
        with store.draft(provenance) as draft:
            fill(draft)
        found = store.find(provenance)
    if found is None:
        raise OSError(f"{provenance.step} {provenance.key}: the artifact that was just written cannot be read back")
    return found


@dataclass
class ByProvenance(CachePolicy):
    """A result is reused where an artifact of the same provenance is stored, whole.

    `provenance` takes the task's own arguments. `is_there` tells whether what the task made besides the artifact still
    exists. Where the artifact is gone or damaged, the recorded result is forgotten and the task runs again.
    """

    provenance: Callable[..., Provenance] | None = None
    is_there: Callable[..., bool] | None = None

    def compute_key(
        self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: object
    ) -> str | None:
        """Step and key of the artifact."""
        assert self.provenance is not None
        provenance = self.provenance(**inputs)
        key = f"{provenance.step}-{provenance.key}"
        whole = store_in(inputs["state"]).find(provenance) is not None
        if not whole or (self.is_there is not None and not self.is_there(**inputs)):
            storage = get_current_settings().results.local_storage_path
            (storage.expanduser() / key).unlink(missing_ok=True)
        return key


class StepOptions(TypedDict):
    """Options that every step hands to `prefect.task`."""

    retries: int
    retry_delay_seconds: list[float]
    retry_jitter_factor: float
    retry_condition_fn: Callable[[Task[..., Any], TaskRun, State[Any]], bool]
    persist_result: bool
    result_serializer: str


def can_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether another attempt may go better: not where the user's input was refused."""
    result = state.result(raise_on_failure=False)
    return not isinstance(result, UserError)


OPTIONS: StepOptions = {
    "retries": 2,
    "retry_delay_seconds": [2.0, 20.0],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": can_pass,
    "persist_result": True,
    "result_serializer": "json",
}


def on_event(step: str) -> Callable[[Event], None]:
    """A listener for a child process of `step`: tells its progress, with its metrics as a note."""

    def pass_on(event: Event) -> None:
        note = ", ".join(
            f"{name.replace('_', ' ')} {value:.4g}" for name, value in event["metrics"].items() if "loss" in name
        )
        tell(Progress(step, event["step"], event["of"], note))

    return pass_on
