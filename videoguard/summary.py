"""What a run came to, as the command line prints it and the flow returns it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.artifacts.records import Artifact
from videoguard.evaluation.calibration import Calibration
from videoguard.evaluation.comparison import Comparison
from videoguard.evaluation.promotion import PromotionDecision
from videoguard.evaluation.scores import MetricSummary
from videoguard.nights.night import Night


class StepAccount(BaseModel):
    """What one step of a run cost, or what its stored results saved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    computed: int
    """Artifacts that this run made."""
    reused: int
    """Artifacts that were there."""
    seconds: float
    """Wall time of making those that were computed."""
    saved_seconds: float
    """Wall time that those that were reused had taken."""
    note: str = ""
    """What those that were computed took from earlier ones, in words."""


def account(artifacts: Iterable[Artifact], started: datetime) -> list[StepAccount]:
    """Sum up the artifacts of a run that began at `started`, a line a step, in their order."""
    by_step: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        by_step.setdefault(artifact.step, []).append(artifact)
    return [_account(step, made, started) for step, made in by_step.items()]


def _account(step: str, artifacts: list[Artifact], started: datetime) -> StepAccount:
    computed = [artifact for artifact in artifacts if artifact.created >= started]
    reused = [artifact for artifact in artifacts if artifact.created < started]
    return StepAccount(
        step=step,
        computed=len(computed),
        reused=len(reused),
        seconds=_wall_seconds(computed),
        saved_seconds=_wall_seconds(reused),
        note=_note(computed),
    )


def _note(computed: Iterable[Artifact]) -> str:
    """How many videos the shards of frames decoded and took."""
    facts = [artifact.facts for artifact in computed if "taken" in artifact.facts]
    taken = _total(facts, "taken")
    if taken == 0:
        return ""
    decoded = _total(facts, "decoded") + _total(facts, "quarantined") - taken
    return f"{decoded:,} of {decoded + taken:,} videos decoded, the others taken from earlier shards"


def _total(facts: Iterable[Mapping[str, object]], name: str) -> int:
    return sum(int(str(fact[name])) for fact in facts)


def _wall_seconds(artifacts: Iterable[Artifact]) -> float:
    """Seconds in which at least one of the artifacts was in the making: those made side by side count once."""
    total, end = 0.0, datetime.min.replace(tzinfo=UTC)
    for artifact in sorted(artifacts, key=lambda artifact: artifact.created):
        finished = artifact.created + timedelta(seconds=artifact.seconds)
        total += max(0.0, (finished - max(artifact.created, end)).total_seconds())
        end = max(end, finished)
    return total


class RunSummary(BaseModel):
    """The outcome of the flow `train-eval`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    workbook: Path
    page: Path | None = None
    """The workbook's content as a page; None where none was wanted."""
    tracking_uri: str
    run_id: str
    """MLflow run of the adapter."""
    registered_model: str
    version: str
    rows: dict[str, int]
    """Samples by split."""
    scores: dict[str, dict[str, MetricSummary]]
    """By model (`base`, `fine_tuned`), then by metric."""
    calibration: dict[str, Calibration] = {}
    """By model, of the scored labels; without those whose labels were not scored."""
    comparison: Comparison | None = None
    """The models pair by pair on the same samples."""
    promotion: PromotionDecision | None = None
    """What became of the new version; None where the recipe has no rule of it."""
    quarantine: dict[str, str]
    """Reason by video or list of images that was left out."""
    dropped: dict[str, int] = {}
    """Rows that are left out because their wanted answer breaks the JSON Schema, by the rule that it breaks."""
    repaired: dict[str, int] = {}
    """Wanted answers that were brought to the JSON Schema, by the rule that did it."""
    left_out: int = 0
    """Videos that the recipe's rules of quality leave out."""
    problems: list[str]
    """Manifest rows that could not be read."""
    failed_rows: int
    """Answers that failed, over all models."""
    steps: list[StepAccount]
    """What was computed and what was reused."""

    @property
    def complete(self) -> bool:
        """Whether nothing failed, nothing was left out, and the new version could be tested against the champion, if any."""
        decided = self.promotion
        is_untested = decided is not None and decided.outcome == "undecided" and decided.against is not None
        return not (self.quarantine or self.dropped or self.problems or self.failed_rows or is_untested)


class NightSummary(BaseModel):
    """The outcome of the flow `nightly-eval`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    night: Night
    workbook: Path | None
    """None where no model could be asked."""
    page: Path | None = None
    tracking_uri: str
    trend_run: str
    """MLflow run that holds the scores of all nights."""
    folder: Path
    """Where the night is kept."""
    quarantine: dict[str, str]
    """Reason by video that was left out."""
    problems: list[str]
    """Manifest rows that could not be read."""
    unsent: list[str] = []
    """Addresses that were to be told of the night and did not take it."""
    steps: list[StepAccount]

    @property
    def complete(self) -> bool:
        """Whether the night passed, and nothing failed or was left out."""
        failed = any(model.failed or model.refusal for model in self.night.asked.values())
        return self.night.outcome == "passed" and not (failed or self.quarantine or self.problems or self.unsent)
