"""The flow `nightly-eval`: champion, candidate and base on the test samples of tonight, held against earlier nights."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.cluster import helped_by
from tasks.dataset import build_dataset_task
from tasks.frames import store_frames
from tasks.inference import one_process
from tasks.manifest import make_videos, read_listing_task
from tasks.nightly import ask_models, examine_night, find_models, only_night, reason_to_skip, try_candidate
from tasks.nightly_report import (
    decided,
    keep_night,
    log_trend,
    show_night,
    tell_people,
    title_of,
    write_night_report,
)
from tasks.pages import ProgressPages, show_account
from tasks.quality import judge_quality
from tasks.report import page_beside
from tasks.step import Workplace, start_work
from videoguard.config import RunConfig
from videoguard.nights.notice import check_addresses
from videoguard.nights.options import NightlyOptions
from videoguard.progress import listening
from videoguard.recipes import load_recipe, reproduce_command
from videoguard.summary import NightSummary, account

_DEFAULTS = NightlyOptions()


@flow(name="nightly-eval")
def nightly_eval(options: NightlyOptions = _DEFAULTS) -> State[NightSummary]:
    """Ask champion, candidate and base about the current test samples, and fail where the champion has become worse."""
    config = options.apply(load_recipe(Path(options.recipe), options.overrides))
    addresses = check_addresses(config.nightly.notify)
    if (late := reason_to_skip(options)) is not None:
        return Completed(name="Skipped", message=late)
    with only_night(config) as alone:
        if not alone:
            return Completed(name="Skipped", message=f"another night runs in {config.execution.state}")
        place = start_work(config.execution, options.refresh, config.registry.uri(config.execution.state))
        command = reproduce_command(options.recipe, options.overrides, "nightly")
        with listening(ProgressPages()), helped_by(config.execution):
            summary = _run_steps(place, config, options, command)
    show_account(summary.steps)
    show_night(summary.night, summary.tracking_uri, summary.trend_run)
    if summary.night.outcome == "passed":
        return Completed(message=title_of(summary.night), data=summary)
    summary = summary.model_copy(update={"unsent": tell_people(summary.night, addresses)})
    message = "; ".join([title_of(summary.night), *summary.night.reasons])
    return Failed(name=summary.night.outcome.capitalize(), message=message, data=summary)


def _run_steps(place: Workplace, config: RunConfig, options: NightlyOptions, command: str) -> NightSummary:
    holders = find_models(place, config)
    make_videos(config.data, config.seed, config.frames.workers)
    manifest = read_listing_task(place, config.data)
    # Models are asked where the manifest, or a video that it names, is not that of an earlier night.
    with one_process(config, ahead=manifest.created >= place.started):
        frames = store_frames(place, config.data, config.frames, manifest)
        quality = judge_quality(place, config, manifest, frames)
        dataset = build_dataset_task(place, config.data, config.dataset, manifest, frames, config.seed, quality)
        asked = ask_models(place, config, holders, dataset, frames)
    promotion = try_candidate(place, config, asked)
    night, samples = examine_night(place, config, options, asked, dataset, frames, promotion)
    night = write_night_report(place, config, command, night, asked, manifest, dataset, frames, quality)
    folder = keep_night(place, config, night, samples)
    trend = log_trend(place, config, night)
    given = [manifest, *(frames.artifacts if frames else ()), *([quality] if quality else []), dataset]
    problems = manifest.facts["problems"]
    assert isinstance(problems, list)
    return NightSummary(
        night=night,
        workbook=None if night.workbook is None else Path(night.workbook),
        page=page_beside(night.workbook),
        tracking_uri=config.registry.uri(place.state),
        trend_run=trend,
        folder=folder,
        quarantine={} if frames is None else dict(frames.open(place).quarantine()),
        problems=problems,
        steps=account([*given, *asked.made(), *decided(promotion)], place.started),
    )


def summary_of(state: State[Any]) -> NightSummary | None:
    """The summary that a night ended with; None where it was skipped. What made it fail is raised."""
    # What a flow returns is kept in a record of Prefect's own.
    found = getattr(state.data, "result", state.data)
    if isinstance(found, NightSummary):
        return found
    if not state.is_completed():
        state.result()
    return None
