"""What all steps share: where they work, the cache key of the design, what is retried, and where progress goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from prefect import Task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.settings import get_current_settings
from pydantic import BaseModel, ConfigDict

from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.shared import SharedStore
from videoguard.artifacts.store import ArtifactStore, Draft
from videoguard.config import ExecutionSection
from videoguard.digests import digest_file, digest_json
from videoguard.errors import UserError, refuse_all
from videoguard.progress import STARTING, Progress, tell
from videoguard.registry.login import require_login
from videoguard.subprocesses import is_stopping

HOUR = 3600.0
STEPS = (
    "manifest",
    "frames",
    "frames-index",
    "quality",
    "dataset",
    "base-model",
    "training",
    "registry",
    "inference",
    "scores",
    "evaluation",
    "comparison",
    "champion",
    "promotion",
    "record",
    "report",
    "publish",
    "world-base",
    "world-adapter",
    "world-training",
    "world-registry",
    "world-clip",
    "world-evaluation",
    "world-report",
)
Event = dict[str, Any]


class Errand(BaseModel):
    """What a worker of a cluster has to know of the run that it works for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    """Digest of the program that the run has."""
    topic: str
    """Under which it tells its progress."""


class Workplace(BaseModel):
    """Where the steps of one flow run work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Path
    shared_store: str | None = None
    refresh: tuple[str, ...] = ()
    """Steps that are made again though they are stored."""
    started: datetime
    """When the flow run began: what was made since is not made again."""
    errand: Errand | None = None
    """Set where a worker of a cluster does the step; `state` is then a folder of its machine."""

    @property
    def store(self) -> ArtifactStore:
        """The artifacts."""
        return ArtifactStore(self.state / "artifacts", self.shared_store)

    def path(self, artifact: Artifact) -> Path:
        """Folder of an artifact."""
        return self.store.path(artifact)

    def find(self, provenance: Provenance) -> Artifact | None:
        """The artifact to use; None where it has to be made."""
        found = self.store.find(provenance)
        if found is not None and provenance.step in self.refresh and found.created < self.started:
            return None
        return found

    def make(
        self,
        provenance: Provenance,
        fill: Callable[[Draft], None],
        *,
        is_usable: Callable[[Artifact], bool] = lambda artifact: True,
    ) -> Artifact:
        """The artifact of `provenance`: the stored one where it `is_usable`, else one that `fill` writes."""
        with self.store.lock(provenance):
            found = self.find(provenance)
            if found is None or not is_usable(found):
                with self.store.draft(provenance) as draft:
                    fill(draft)
                found = self.store.find(provenance)
        if found is None:
            raise OSError(f"{provenance.step} {provenance.key}: the artifact that was just written cannot be read back")
        return found


def start_work(execution: ExecutionSection, refresh: Sequence[str], tracking_uri: str | None = None) -> Workplace:
    """Where a flow run that begins now works.

    Raises:
        UserError: a step to refresh is not one, the shared store cannot be used, or MLflow at `tracking_uri` does not take
            the login.
    """
    if tracking_uri is not None:
        require_login(tracking_uri)
    if execution.shared is not None:
        SharedStore(execution.shared).require_usable()
    refuse_all("--refresh", (f"{step} is not a step: steps are {', '.join(STEPS)}" for step in refresh if step not in STEPS))
    return Workplace(state=execution.state, shared_store=execution.shared, refresh=tuple(refresh), started=datetime.now(UTC))


@dataclass
class ByProvenance(CachePolicy):
    """A result is reused where an artifact of the same provenance is stored, whole.

    `provenance` takes the task's own arguments. `is_there` tells whether what the task made besides the artifact still
    exists. Where the artifact is gone, damaged or another one, the recorded result is forgotten and the task runs again.
    """

    provenance: Callable[..., Provenance] | None = None
    is_there: Callable[..., bool] | None = None

    def compute_key(
        self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: object
    ) -> str | None:
        """Step and key of the artifact, and the version of the tasks, whose results another version may not read."""
        assert self.provenance is not None
        place: Workplace = inputs["place"]
        provenance = self.provenance(**inputs)
        key = f"{provenance.step}-{provenance.key}-{_tasks_digest()}"
        found = place.find(provenance)
        recorded = get_current_settings().results.local_storage_path.expanduser() / key
        if found is None or not _names(recorded, found) or (self.is_there is not None and not self.is_there(**inputs)):
            recorded.unlink(missing_ok=True)
        return key


@cache
def _tasks_digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return digest_json({source.name: digest_file(source) for source in sources})[:8]


def _names(recorded: Path, artifact: Artifact) -> bool:
    """Whether a recorded result is of this artifact, and not of one with other content that stood in its place."""
    return recorded.is_file() and artifact.digest in recorded.read_text(encoding="utf-8")


class StepOptions(TypedDict):
    """Options that every step hands to `prefect.task`."""

    retries: int
    retry_delay_seconds: list[float]
    retry_jitter_factor: float
    retry_condition_fn: Callable[[Task[..., Any], TaskRun, State[Any]], bool]
    persist_result: bool
    result_serializer: str


def can_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether another attempt may go better: not where the user's input was refused, or the user interrupts the run."""
    return not is_stopping() and not isinstance(state.result(raise_on_failure=False), UserError)


OPTIONS: StepOptions = {
    "retries": 3,
    "retry_delay_seconds": [2.0, 15.0, 60.0],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": can_pass,
    "persist_result": True,
    "result_serializer": "json",
}


def on_event(step: str, part: str = "") -> Callable[[Event], None]:
    """A listener for a child process of `step`, which is about to start: tells its progress, its losses and its speed."""
    tell(Progress(step, 0, 0, STARTING, part))

    def pass_on(event: Event) -> None:
        shown = {name.replace("_", " "): value for name, value in event["metrics"].items() if _is_shown(name)}
        note = event.get("note") or ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
        tell(Progress(step, event["step"], event["of"], note, part))

    return pass_on


def _is_shown(metric: str) -> bool:
    """Whether a metric has room in a line of progress: losses, scores of the validation split, and the speed."""
    return "loss" in metric or metric.startswith("validation_") or metric == "tokens_per_second"
