"""What is made of a night: its workbook, its place in the trend, and who is told."""

import logging
import os
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from prefect import task
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.events import emit_event
from prefect.runtime import flow_run

from tasks.evaluation import ScoredModel
from tasks.frames import StoredFrames
from tasks.manifest import media_root
from tasks.nightly import BASE, CANDIDATE, AskedModels, open_nights
from tasks.promotion import Promotion
from tasks.report import quarantine_of, stored_frames
from tasks.step import Workplace
from videoguard.artifacts.records import Artifact
from videoguard.config import RunConfig
from videoguard.errors import UserError
from videoguard.evaluation.comparing import ComparedModel, compare_models
from videoguard.evaluation.comparison import Comparison
from videoguard.evaluation.scores import read_evaluation
from videoguard.inference.rows import read_rows
from videoguard.nights.judging import CHAMPION
from videoguard.nights.night import Night, NightSample
from videoguard.nights.notice import send
from videoguard.quality.tables import read_quality
from videoguard.report.content import ModelResult, ReportContent, RunFacts, settings_text
from videoguard.report.samples import pictured_videos
from videoguard.revision import code_revision, package_versions

_NAMES = {BASE: "Base model", CANDIDATE: "Candidate", CHAMPION: "Champion"}
_log = logging.getLogger(__name__)


@task(name="night report", retries=2, retry_delay_seconds=[2.0, 15.0])
def write_night_report(
    place: Workplace,
    config: RunConfig,
    command: str,
    night: Night,
    asked: AskedModels,
    manifest: Artifact,
    dataset: Artifact,
    frames: StoredFrames | None,
    quality: Artifact | None,
) -> Night:
    """Write workbook and page into the folder of the night's date, and keep the names; none where no model answered."""
    scored = {name: model.scored for name, model in asked.models.items() if model.scored is not None}
    if not scored:
        return night
    from videoguard.report.web_page import write_page
    from videoguard.report.workbook import write_workbook

    folder = config.report.folder / "nightly" / night.date
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{config.name}-{night.name.removeprefix(f'{night.date}-')}.xlsx"
    content = _content(place, config, command, night, scored, manifest, dataset, frames, quality)
    write_workbook(content, file)
    if config.report.html:
        write_page(content, file.with_suffix(".html"))
    return night.model_copy(update={"workbook": str(file)})


@task(name="keep night", retries=3, retry_delay_seconds=[2.0, 15.0, 60.0])
def keep_night(place: Workplace, config: RunConfig, night: Night, samples: list[NightSample]) -> Path:
    """Keep the night, so that later ones compare with it; its folder."""
    return open_nights(place, config).add(night, samples)


@task(name="trend", retries=3, retry_delay_seconds=[2.0, 15.0, 60.0])
def log_trend(place: Workplace, config: RunConfig, night: Night) -> str:
    """Log the night's scores to the MLflow run that all nights of the recipe share, a step a night; the run's id."""
    from videoguard.registry.trend import log_night

    number = sum(each.started <= night.started for each in open_nights(place, config).nights())
    return log_night(
        config.registry.uri(place.state),
        config.registry.experiment,
        place.state,
        night,
        number,
        [] if night.workbook is None else [Path(night.workbook)],
    )


def show_night(night: Night, tracking_uri: str, trend_run: str) -> None:
    """Table, link and event of the night in the Prefect pages.

    The link leads to MLflow's pages, where there are any: a browser opens no file from a page of a server.
    """
    name = f"nightly-{_slug(night.recipe)}"
    create_table_artifact(_lines(night), key=name, description=f"**{night.outcome}**\n\n" + _bullets(night.reasons))
    if night.workbook is not None:
        address = _address(night, Path(night.workbook), tracking_uri, trend_run)
        create_link_artifact(address, link_text=night.workbook, key=f"{name}-workbook", description="Workbook of the night")
    emit_event(
        event=f"video-guard.night.{night.outcome}",
        resource={"prefect.resource.id": f"video-guard.model.{night.model}", "prefect.resource.name": night.model},
        related=[{"prefect.resource.id": f"prefect.flow-run.{flow_run.get_id()}", "prefect.resource.role": "flow-run"}],
        payload={"recipe": night.recipe, "outcome": night.outcome, "reasons": night.reasons, "night": night.name},
    )


def _address(night: Night, workbook: Path, tracking_uri: str, trend_run: str) -> str:
    pages = tracking_uri if tracking_uri.startswith(("http:", "https:")) else os.environ.get("VIDEO_GUARD_MLFLOW")
    if pages is None:
        return workbook.absolute().as_uri()
    return f"{pages}/get-artifact?run_uuid={trend_run}&path={quote(f'nights/{night.date}/{workbook.name}')}"


@task(name="notice")
def tell_people(night: Night, addresses: list[str]) -> list[str]:
    """Send word of a night that fell short; the addresses that did not take it."""
    workbook = "" if night.workbook is None else f"\n\nWorkbook: {night.workbook}"
    return send(addresses, title_of(night), "\n".join(night.reasons) + workbook)


def title_of(night: Night) -> str:
    """The night in a line."""
    champion = night.asked.get(CHAMPION)
    version = f" version {champion.version}" if champion is not None and champion.version else ""
    return f"{night.recipe}: {night.model}{version} {night.outcome}, night of {night.date}"


def _lines(night: Night) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    # The one that the night is about first.
    for name, model in sorted(night.asked.items(), key=lambda asked: (CHAMPION, CANDIDATE, BASE).index(asked[0])):
        for metric, found in model.scores.items():
            lines.append(
                {
                    "model": _NAMES[name] + (f", version {model.version}" if model.version else ""),
                    "metric": metric,
                    "mean": None if found.mean is None else round(found.mean, 4),
                    "95 % low": None if found.ci_low is None else round(found.ci_low, 4),
                    "95 % high": None if found.ci_high is None else round(found.ci_high, 4),
                    "n": found.n,
                    "unscored": found.unscored,
                    **_against(night, name, metric),
                }
            )
    return lines


def _against(night: Night, model: str, metric: str) -> dict[str, object]:
    """The difference to the last good night; of the champion alone."""
    pairs = night.comparisons[0].pairs if night.comparisons and model == CHAMPION else []
    pair = next((pair for pair in pairs if pair.metric == metric), None)
    difference = None if pair is None or pair.difference is None else round(pair.difference, 4)
    p_value = None if pair is None or pair.p_corrected is None else float(f"{pair.p_corrected:.3g}")
    return {"against the last good night": difference, "p, corrected": p_value}


def _bullets(reasons: list[str]) -> str:
    return "\n".join(f"- {reason}" for reason in reasons)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")


def _content(
    place: Workplace,
    config: RunConfig,
    command: str,
    night: Night,
    scored: dict[str, ScoredModel],
    manifest: Artifact,
    dataset: Artifact,
    frames: StoredFrames | None,
    quality: Artifact | None,
) -> ReportContent:
    problems = manifest.facts["problems"]
    assert isinstance(problems, list)
    models = [
        ModelResult(
            name=_NAMES[name],
            version=night.asked[name].version,
            rows=[row for file in model.answers.files(place) for row in read_rows(file)],
            evaluation=read_evaluation(place.path(model.evaluation)),
        )
        for name, model in scored.items()
    ]
    content = ReportContent(
        title=f"{config.report.title}, night of {night.date}",
        created=datetime.now(night.started.tzinfo),
        models=models,
        comparison=_compared(models, config.seed),
        bands=dict(config.report.bands),
        samples=config.report.samples,
        sheets=config.report.sheets,
        sheet_titles=config.report.sheet_titles,
        quarantine=quarantine_of(place, dataset, frames),
        quality=None if quality is None else read_quality(place.path(quality)),
        nights=[*open_nights(place, config).nights(), night],
        row_problems=problems,
        facts=RunFacts(sections=_facts(config, command, night)),
        media_root=media_root(config.data).absolute(),
    )
    return content.model_copy(update={"frames": stored_frames(place, frames, pictured_videos(content))})


def _compared(models: list[ModelResult], seed: int) -> Comparison | None:
    if len(models) < 2:
        return None
    try:
        return compare_models([ComparedModel(each.name, each.rows, each.evaluation) for each in models], seed=seed)
    except UserError as nothing:
        _log.warning("the models of the night are not compared: %s", nothing)
        return None


def _facts(config: RunConfig, command: str, night: Night) -> dict[str, dict[str, str]]:
    numbered = {f"Reason {number}": reason for number, reason in enumerate(night.reasons, start=1)}
    versions = {
        _NAMES[name]: model.refusal or f"version {model.version}" if name != BASE else model.refusal or "of the champion"
        for name, model in night.asked.items()
    }
    return {
        "Night": {
            "Outcome": night.outcome,
            **numbered,
            **versions,
            "Samples": f"{night.samples:,}",
            "Answers made tonight": f"{night.computed:,}",
            "Prefect flow run": str(flow_run.get_id() or ""),
            "How to reproduce": command,
            "Video-Guard": code_revision(),
        },
        **({} if night.promotion is None else {"Promotion": night.promotion.facts()}),
        "Settings": settings_text(config.model_dump(mode="json")),
        "Packages": package_versions(),
    }


def decided(promotion: Promotion | None) -> list[Artifact]:
    """What the test of the candidate made."""
    return [] if promotion is None else promotion.artifacts()
