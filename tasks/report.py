"""Step report: the workbook, and the summary that the terminal shows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from prefect import task
from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict

from tasks.base_model import BaseReference
from tasks.evaluation import ROWS, ScoredModel
from tasks.manifest import media_root
from tasks.step import HOUR, OPTIONS, ByProvenance, make, store_in
from videoguard.artifacts import Artifact, Draft, Provenance, digest_source
from videoguard.config import RunConfig
from videoguard.evaluation.scores import read_evaluation
from videoguard.frames.store import FrameStore
from videoguard.inference.rows import read_rows
from videoguard.report.content import ModelResult, QuarantinedVideo, ReportContent, RunFacts, settings_text
from videoguard.report.workbook import write_workbook
from videoguard.revision import code_revision, package_versions
from videoguard.summary import RunSummary
from videoguard.training.request import TrainingReply

BASE, TUNED = "base", "fine_tuned"


class Steps(BaseModel):
    """What the steps before the report came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: Artifact
    frames: Artifact
    dataset: Artifact
    base: BaseReference
    adapter: Artifact
    version: Artifact
    scored: dict[str, ScoredModel]
    """By model, the base first."""

    def digests(self) -> dict[str, str]:
        """Digest of every artifact by name."""
        artifacts = {"manifest": self.manifest, "frames": self.frames, "dataset": self.dataset, "adapter": self.adapter}
        for name, model in self.scored.items():
            artifacts |= {f"{name} answers": model.answers, f"{name} scores": model.evaluation}
        return {"base model": self.base.digest, **{name: artifact.digest for name, artifact in artifacts.items()}}


def _provenance(config: RunConfig, command: str, steps: Steps, state: Path) -> Provenance:
    return Provenance(
        step="report",
        code=digest_source(["report"]),
        settings={"name": config.name, **config.report.model_dump(mode="json")},
        inputs={**steps.digests(), "version": str(steps.version.facts["version"])},
    )


def _workbook_is_there(config: RunConfig, command: str, steps: Steps, state: Path) -> bool:
    found = store_in(state).find(_provenance(config, command, steps, state))
    return found is not None and workbook_path(config, found).is_file()


def workbook_path(config: RunConfig, report: Artifact) -> Path:
    """Where the workbook lies for the user."""
    return config.report.folder / str(report.facts["file"])


@task(
    name="report",
    timeout_seconds=HOUR,
    cache_policy=ByProvenance(provenance=_provenance, is_there=_workbook_is_there),
    **OPTIONS,
)
def write_report(config: RunConfig, command: str, steps: Steps, state: Path) -> Artifact:
    """Write the workbook into the store, and a copy into the folder of reports."""

    def fill(draft: Draft) -> None:
        created = datetime.now(UTC)
        file = f"{config.name}-{created:%Y%m%d-%H%M%S}.xlsx"
        content = _content(config, command, steps, state, created)
        write_workbook(content, draft.folder / file, opened_from=config.report.folder.absolute())
        draft.facts = {"file": file}

    report = make(state, _provenance(config, command, steps, state), fill)
    copy = workbook_path(config, report)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store_in(state).path(report) / copy.name, copy)
    return report


def summarize(config: RunConfig, steps: Steps, report: Artifact, state: Path) -> RunSummary:
    """What the terminal shows of a run."""
    store = store_in(state)
    problems = steps.manifest.facts["problems"]
    rows = steps.dataset.facts["rows"]
    assert isinstance(problems, list)
    assert isinstance(rows, dict)
    return RunSummary(
        name=config.name,
        workbook=workbook_path(config, report),
        tracking_uri=config.registry.uri(state),
        run_id=str(steps.adapter.facts["run_id"]),
        registered_model=str(steps.version.facts["model"]),
        version=str(steps.version.facts["version"]),
        rows=rows,
        scores={name: read_evaluation(store.path(model.evaluation)).summary for name, model in steps.scored.items()},
        quarantine=dict(FrameStore(store.path(steps.frames)).quarantine()),
        problems=problems,
        failed_rows=sum(int(str(model.answers.facts["failed"])) for model in steps.scored.values()),
    )


def _content(config: RunConfig, command: str, steps: Steps, state: Path, created: datetime) -> ReportContent:
    store = store_in(state)
    names = {BASE: "Base model", TUNED: "Fine-tuned"}
    problems = steps.manifest.facts["problems"]
    assert isinstance(problems, list)
    return ReportContent(
        title=config.report.title,
        created=created,
        models=[
            ModelResult(
                name=names.get(name, name),
                version=str(steps.version.facts["version"]) if name == TUNED else None,
                rows=read_rows(store.path(model.answers) / ROWS),
                evaluation=read_evaluation(store.path(model.evaluation)),
            )
            for name, model in steps.scored.items()
        ],
        bands=dict(config.report.bands),
        quarantine=[
            QuarantinedVideo(video=video, reason=reason)
            for video, reason in FrameStore(store.path(steps.frames)).quarantine()
        ],
        row_problems=problems,
        facts=_facts(config, command, steps),
        media_root=media_root(config.data).absolute(),
    )


def _facts(config: RunConfig, command: str, steps: Steps) -> RunFacts:
    rows = steps.dataset.facts["rows"]
    assert isinstance(rows, dict)
    trained = TrainingReply.model_validate({name: value for name, value in steps.adapter.facts.items() if name != "run_id"})
    return RunFacts(
        sections={
            "Run": {
                "Recipe": config.name,
                "Base model": steps.base.name,
                "Registered version": f"{steps.version.facts['model']}, version {steps.version.facts['version']}",
                "MLflow run": str(steps.adapter.facts["run_id"]),
                "Prefect flow run": str(flow_run.get_id() or ""),
                "Samples": ", ".join(f"{split} {number}" for split, number in rows.items()),
                "How to reproduce": command,
                "Video-Guard": code_revision(),
            },
            "Training": _training(trained),
            "Settings": settings_text(config.model_dump(mode="json")),
            "Digests": steps.digests(),
            "Packages": package_versions(),
        }
    )


def _training(trained: TrainingReply) -> dict[str, str]:
    share = trained.trainable_parameters / trained.total_parameters
    kept = trained.best_validation_loss
    return {
        "Optimizer steps": f"{trained.steps:,}",
        "Examples": f"{trained.examples:,}",
        "Wall time": f"{trained.seconds:.0f} s",
        "Mean training loss": f"{trained.train_loss:.4f}",
        "Kept adapter": "of the last step" if kept is None else f"of step {trained.best_step:,}, validation loss {kept:.4f}",
        "Trained parameters": f"{trained.trainable_parameters:,} of {trained.total_parameters:,} ({share:.2%})",
    }
