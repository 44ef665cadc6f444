"""Steps world evaluation and report: clips measured without a judge, and the workbook of clips."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import task

from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace, on_event
from tasks.world import UsedAdapter, WorldBaseReference
from tasks.world_clips import BASE, ClipResult, repeat_clips, variants_of
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config.world import WorldConfig
from videoguard.digests import digest_source
from videoguard.report.content import settings_text
from videoguard.revision import code_revision, package_versions
from videoguard.subprocesses import call
from videoguard.world.evaluation.request import MeasureReply, MeasureRequest
from videoguard.world.evaluation.result import FILE, MeasuredClip, WorldEvaluationResult, read_result
from videoguard.world.workbook import ShownClip, write_clips_workbook


def _made(results: Sequence[ClipResult]) -> list[tuple[ClipResult, Artifact]]:
    return [(result, result.artifact) for result in results if result.artifact is not None]


def _evaluation(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    adapters: Sequence[UsedAdapter],
    results: Sequence[ClipResult],
) -> Provenance:
    assert config.evaluation is not None
    made = _made(results)
    return Provenance(
        step="world-evaluation",
        code=digest_source(["world/evaluation"]),
        settings={"repeat": config.evaluation.repeat},
        inputs={f"{result.item.output} {result.variant}": clip.digest for result, clip in made},
        parents=tuple(clip for _, clip in made),
    )


@task(name="world evaluation", timeout_seconds=48 * HOUR, cache_policy=ByProvenance(provenance=_evaluation), **OPTIONS)
def evaluate_clips_task(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    adapters: Sequence[UsedAdapter],
    results: Sequence[ClipResult],
) -> Artifact:
    """Measure every clip, and generate some once more to see that the seed gives the same frames."""
    assert config.evaluation is not None
    evaluation = config.evaluation
    made = _made(results)
    of_base = {result.item.output: clip for result, clip in made if result.variant == BASE}

    def fill(draft: Draft) -> None:
        folders = []
        for result, clip in made:
            compared = of_base.get(result.item.output) if result.variant != BASE else None
            folders.append((place.path(clip), None if compared is None else place.path(compared)))
        request = MeasureRequest(clips=tuple(folders))
        show = on_event("measures")
        reply = call("videoguard.world.evaluation", request, MeasureReply, threads=1, timeout_s=24 * HOUR, on_event=show)
        last = variants_of(config, adapters)[-1]
        again = [result for result, _ in made if result.variant == last][: evaluation.repeat]
        differing = repeat_clips(place, config, base, adapters, again, draft.work)
        measured = [
            MeasuredClip(output=str(result.item.output), variant=result.variant, measures=measures)
            for (result, _), measures in zip(made, reply.measures, strict=True)
        ]
        found = WorldEvaluationResult(clips=tuple(measured), repeated=len(again), differing=tuple(differing))
        (draft.folder / FILE).write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.facts = {"clips": len(measured), "repeated": len(again), "differing": list(differing)}

    return place.make(_evaluation(place, config, base, adapters, results), fill)


def _report(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    training: Artifact | None,
    version: Artifact | None,
    results: Sequence[ClipResult],
    evaluation: Artifact,
) -> Provenance:
    failed = {f"{result.item.output} {result.variant}": result.reason for result in results if result.reason}
    return Provenance(
        step="world-report",
        code=digest_source(["world/workbook.py", "report"]),
        settings={"report": config.report.model_dump(mode="json"), "name": config.name, "failed": failed},
        inputs={
            "evaluation": evaluation.digest,
            "base": base.digest,
            **{f"{result.item.output} {result.variant}": clip.digest for result, clip in _made(results)},
        },
        parents=(evaluation, *(clip for _, clip in _made(results))),
    )


@task(name="world report", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_report), **OPTIONS)
def write_clips_report_task(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    training: Artifact | None,
    version: Artifact | None,
    results: Sequence[ClipResult],
    evaluation: Artifact,
) -> Artifact:
    """Write the workbook of clips."""
    measured = read_result(place.path(evaluation))

    def fill(draft: Draft) -> None:
        shown: dict[Path, ShownClip] = {}
        measures = {(clip.output, clip.variant): clip.measures for clip in measured.clips}
        for result, clip in _made(results):
            output = result.item.output
            line = shown.get(output) or ShownClip(output, {}, {})
            shown[output] = ShownClip(
                output,
                {**line.folders, result.variant: place.path(clip)},
                {**line.measures, result.variant: measures[str(output), result.variant]},
            )
        write_clips_workbook(
            draft.folder / f"{config.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.xlsx",
            title=config.report.title,
            is_noise=base.is_noise,
            clips=list(shown.values()),
            failed={f"{result.item.output} ({result.variant})": result.reason for result in results if result.reason},
            facts=_facts(config, base, training, version, measured),
            opened_from=config.report.folder,
        )

    return place.make(_report(place, config, base, training, version, results, evaluation), fill)


def publish_workbook(place: Workplace, config: WorldConfig, report: Artifact) -> Path:
    """Copy the workbook to the folder of reports; its path there."""
    [made] = place.path(report).glob("*.xlsx")
    config.report.folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(made, config.report.folder / made.name))


def _facts(
    config: WorldConfig,
    base: WorldBaseReference,
    training: Artifact | None,
    version: Artifact | None,
    measured: WorldEvaluationResult,
) -> dict[str, dict[str, str]]:
    same = measured.repeated - len(measured.differing)
    trained = {} if training is None else {name.replace("_", " "): str(value) for name, value in training.facts.items()}
    registered = {} if version is None else {"registered version": f"{version.facts['model']}, {version.facts['version']}"}
    return {
        "Run": {
            "Recipe": config.name,
            "Base model": base.name,
            "Guardrail": config.guardrail,
            "Prompt refiner": config.refiner,
            "Seeds": f"{same} of {measured.repeated} clips that were made again had the same frames",
            "Video-Guard": code_revision(),
        },
        **({"Training": {**trained, **registered}} if trained else {}),
        "Settings": dict(settings_text(config.model_dump(mode="json", exclude={"record"}))),
        "Digests": {"base": base.digest},
        "Packages": package_versions(),
    }
