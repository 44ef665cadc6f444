"""Step report: the workbook, and the summary that the terminal shows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from prefect import task
from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict

from tasks.base_model import BaseReference
from tasks.dataset import counts_of
from tasks.evaluation import ScoredModel
from tasks.frames import StoredFrames, frame_artifacts
from tasks.manifest import media_root
from tasks.promotion import Promotion
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_source
from videoguard.evaluation.comparison import Comparison, read_comparison
from videoguard.evaluation.scores import read_evaluation
from videoguard.inference.rows import read_rows
from videoguard.manifests.sample import file_to_open
from videoguard.quality.tables import read_quality
from videoguard.report.content import ModelResult, Quarantined, ReportContent, RunFacts, StoredFrame, settings_text
from videoguard.report.samples import pictured_videos
from videoguard.revision import code_revision, package_versions
from videoguard.summary import RunSummary, account
from videoguard.training.request import TrainingReply

BASE, TUNED = "base", "fine_tuned"
FRAMES = "frames"
"""Folder of the pictures of the samples that the report shows."""
_NAMES = {BASE: "Base model", TUNED: "Fine-tuned"}


class Steps(BaseModel):
    """What the steps before the report came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: Artifact
    frames: StoredFrames | None = None
    """None where the data set is text alone."""
    quality: Artifact | None = None
    """None where the recipe has no rules of quality."""
    dataset: Artifact
    base: BaseReference
    adapter: Artifact
    version: Artifact
    scored: dict[str, ScoredModel]
    """By model, the base first."""
    comparison: Artifact
    """The models side by side."""
    recorded: Artifact
    """What MLflow was told of them; its facts name the run."""
    promotion: Promotion | None = None
    """What became of the version; None where the recipe has no rule of it."""

    def digests(self) -> dict[str, str]:
        """Digest of every artifact by name."""
        digests = {
            "base model": self.base.digest,
            "manifest": self.manifest.digest,
            **({} if self.frames is None else {"frames": self.frames.digest}),
            **({} if self.quality is None else {"quality": self.quality.digest}),
            "dataset": self.dataset.digest,
            "adapter": self.adapter.digest,
        }
        for name, model in self.scored.items():
            digests |= {f"{name} answers": model.answers.digest, f"{name} scores": model.evaluation.digest}
        digests["comparison"] = self.comparison.digest
        return digests if self.promotion is None else {**digests, "promotion": self.promotion.decided.digest}

    def artifacts(self) -> list[Artifact]:
        """Every artifact, in the order of the steps."""
        answers = [shard for model in self.scored.values() for shard in model.answers.shards]
        evaluations = [model.evaluation for model in self.scored.values()]
        return [
            self.manifest,
            *frame_artifacts(self.frames),
            *([] if self.quality is None else [self.quality]),
            self.dataset,
            self.base.artifact,
            self.adapter,
            self.version,
            *answers,
            *evaluations,
            self.comparison,
            *([] if self.promotion is None else self.promotion.artifacts()),
            self.recorded,
        ]


def _provenance(place: Workplace, config: RunConfig, command: str, steps: Steps) -> Provenance:
    return Provenance(
        step="report",
        code=digest_source(["report", "report/page.html.jinja", "report/page.js"]),
        settings={"name": config.name, **config.report.model_dump(mode="json")},
        inputs={
            **steps.digests(),
            **{name: str(steps.version.facts[name]) for name in ("model", "version")},
            "run_id": str(steps.recorded.facts["run_id"]),
        },
        parents=tuple(steps.artifacts()),
    )


def _workbook_is_there(place: Workplace, config: RunConfig, command: str, steps: Steps) -> bool:
    found = place.find(_provenance(place, config, command, steps))
    return found is not None and all(copy.is_file() for copy in _copies(config, found))


def workbook_path(config: RunConfig, report: Artifact) -> Path:
    """Where the workbook lies for the user."""
    return config.report.folder / str(report.facts["file"])


def page_path(config: RunConfig, report: Artifact) -> Path | None:
    """Where the page with the same content lies for the user; None where none was wanted."""
    return None if "page" not in report.facts else config.report.folder / str(report.facts["page"])


def page_beside(workbook: str | None) -> Path | None:
    """The page beside a workbook; None where there is none."""
    page = None if workbook is None else Path(workbook).with_suffix(".html")
    return page if page is not None and page.is_file() else None


def _copies(config: RunConfig, report: Artifact) -> list[Path]:
    page = page_path(config, report)
    return [workbook_path(config, report), *([] if page is None else [page])]


@task(
    name="report",
    timeout_seconds=HOUR,
    cache_policy=ByProvenance(provenance=_provenance, is_there=_workbook_is_there),
    **OPTIONS,
)
def write_report(place: Workplace, config: RunConfig, command: str, steps: Steps) -> Artifact:
    """Write workbook, page and the pictures of shown samples into the store, and copies of the first two for the user."""

    def fill(draft: Draft) -> None:
        from videoguard.report.strips import write_strips
        from videoguard.report.web_page import write_page
        from videoguard.report.workbook import write_workbook

        created = datetime.now(UTC)
        file = f"{config.name}-{created:%Y%m%d-%H%M%S}.xlsx"
        content = _content(place, config, command, steps, created)
        opened_from = config.report.folder.absolute()
        write_workbook(content, draft.folder / file, opened_from=opened_from)
        draft.facts = {"file": file}
        if config.report.html:
            page = Path(file).with_suffix(".html").name
            write_page(content, draft.folder / page, opened_from=opened_from)
            draft.facts = {"file": file, "page": page}
        pictures = draft.folder / FRAMES
        pictures.mkdir()
        write_strips(content, pictures)

    report = place.make(_provenance(place, config, command, steps), fill)
    for copy in _copies(config, report):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place.path(report) / copy.name, copy)
    return report


def summarize(place: Workplace, config: RunConfig, steps: Steps, report: Artifact, published: Artifact) -> RunSummary:
    """What the terminal shows of a run."""
    problems = steps.manifest.facts["problems"]
    assert isinstance(problems, list)
    evaluations = {name: read_evaluation(place.path(model.evaluation)) for name, model in steps.scored.items()}
    return RunSummary(
        name=config.name,
        workbook=workbook_path(config, report),
        page=page_path(config, report),
        tracking_uri=config.registry.uri(place.state),
        run_id=str(steps.recorded.facts["run_id"]),
        registered_model=str(steps.version.facts["model"]),
        version=str(steps.version.facts["version"]),
        rows=counts_of(steps.dataset, "rows"),
        scores={name: found.summary for name, found in evaluations.items()},
        calibration={name: found.calibration for name, found in evaluations.items() if found.calibration is not None},
        comparison=read_comparison(place.path(steps.comparison)),
        promotion=None if steps.promotion is None else steps.promotion.decision(place),
        quarantine={} if steps.frames is None else dict(steps.frames.open(place).quarantine()),
        dropped=counts_of(steps.dataset, "dropped"),
        repaired=counts_of(steps.dataset, "repaired"),
        left_out=0 if steps.quality is None else int(str(steps.quality.facts["left_out"])),
        problems=problems,
        failed_rows=sum(model.answers.failed for model in steps.scored.values()),
        steps=account([*steps.artifacts(), report, published], place.started),
    )


def _content(place: Workplace, config: RunConfig, command: str, steps: Steps, created: datetime) -> ReportContent:
    problems = steps.manifest.facts["problems"]
    assert isinstance(problems, list)
    content = ReportContent(
        title=config.report.title,
        created=created,
        models=[
            ModelResult(
                name=_NAMES.get(name, name),
                version=str(steps.version.facts["version"]) if name == TUNED else None,
                rows=[row for file in model.answers.files(place) for row in read_rows(file)],
                evaluation=read_evaluation(place.path(model.evaluation)),
            )
            for name, model in steps.scored.items()
        ],
        comparison=_comparison(place, steps),
        bands=dict(config.report.bands),
        samples=config.report.samples,
        sheets=config.report.sheets,
        sheet_titles=config.report.sheet_titles,
        quarantine=quarantine_of(place, steps.dataset, steps.frames),
        quality=None if steps.quality is None else read_quality(place.path(steps.quality)),
        row_problems=problems,
        facts=_facts(place, config, command, steps),
        media_root=media_root(config.data).absolute(),
    )
    return content.model_copy(update={"frames": stored_frames(place, steps.frames, pictured_videos(content))})


def stored_frames(place: Workplace, frames: StoredFrames | None, videos: list[str]) -> dict[str, list[StoredFrame]]:
    """Stored frames of the videos that the report shows."""
    if frames is None or not videos:
        return {}
    store = frames.open(place)
    stored = set(store.videos())
    return {
        video: [
            # Images in a list have no times.
            StoredFrame(image=image, time_s=float(time) if file_to_open(video) == video else None)
            for image, time in zip(store.encoded(video), store.timestamps(video), strict=True)
        ]
        for video in videos
        if video in stored
    }


def _comparison(place: Workplace, steps: Steps) -> Comparison:
    """The comparison by the names that the workbook gives the models."""
    found = read_comparison(place.path(steps.comparison))
    return found.renamed({name: _NAMES.get(name, name) for name in found.models})


def quarantine_of(place: Workplace, dataset: Artifact, frames: StoredFrames | None) -> list[Quarantined]:
    """Videos without frames, then rows without a usable answer."""
    from videoguard.dataset.cleaning import read_dropped

    videos = [] if frames is None else frames.open(place).quarantine()
    dropped = read_dropped(place.path(dataset))
    return [
        *(Quarantined(video=video, reason=reason) for video, reason in videos),
        *(Quarantined(sample=row.sample, reason=row.reason) for row in dropped),
    ]


def _facts(place: Workplace, config: RunConfig, command: str, steps: Steps) -> RunFacts:
    rows = counts_of(steps.dataset, "rows")
    facts = steps.adapter.facts.items()
    trained = TrainingReply.model_validate({name: value for name, value in facts if name in TrainingReply.model_fields})
    return RunFacts(
        sections={
            "Run": {
                "Recipe": config.name,
                "Base model": steps.base.name,
                "Registered version": f"{steps.version.facts['model']}, version {steps.version.facts['version']}",
                "MLflow run": str(steps.recorded.facts["run_id"]),
                "Prefect flow run": str(flow_run.get_id() or ""),
                "Samples": ", ".join(f"{split} {number}" for split, number in rows.items()),
                "How to reproduce": command,
                "Video-Guard": code_revision(),
            },
            **({} if steps.promotion is None else {"Promotion": steps.promotion.decision(place).facts()}),
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
