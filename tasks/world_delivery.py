"""Delivery: clips under the names that the user asked for, each with the recipe that makes it again."""

import json
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.step import Workplace
from tasks.world import UsedAdapter, WorldBaseReference
from tasks.world_clips import ClipResult, variants_of
from tasks.world_report import publish_workbook
from videoguard.artifacts.records import Artifact
from videoguard.config.world import WorldConfig, WorldInputs
from videoguard.digests import digest_file
from videoguard.errors import UserError
from videoguard.revision import code_revision, package_versions
from videoguard.summary import account
from videoguard.world.evaluation.measures import ClipMeasures
from videoguard.world.evaluation.result import read_result
from videoguard.world.generation.request import CLIP, RECORD
from videoguard.world.summary import WorldSummary


class WorldSteps(BaseModel):
    """What the steps of the flow came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: WorldBaseReference
    adapters: list[UsedAdapter]
    """In the order of the recipe, the trained one last."""
    trained: Artifact | None
    version: Artifact | None
    results: list[ClipResult]
    evaluation: Artifact | None = None
    report: Artifact | None = None

    @property
    def artifacts(self) -> list[Artifact]:
        """All of them."""
        given = [self.base.artifact, *(adapter.artifact for adapter in self.adapters)]
        made = [self.version, *(result.artifact for result in self.results), self.evaluation, self.report]
        return [*given, *(artifact for artifact in made if artifact is not None)]


def summarize_world(place: Workplace, config: WorldConfig, steps: WorldSteps) -> WorldSummary:
    """Write the clips of the last variant and the workbook under their names, and sum up.

    Raises:
        UserError: an output cannot be written.
    """
    delivered = variants_of(config, steps.adapters)[-1]
    clips = []
    for result in steps.results:
        if result.variant == delivered and result.artifact is not None:
            _write(place, config, steps, result)
            clips.append(result.item.output)
    failed = {str(result.item.output): result.reason for result in steps.results if result.reason is not None}
    facts = {} if steps.trained is None else steps.trained.facts
    return WorldSummary(
        name=config.name,
        is_noise=steps.base.is_noise,
        clips=clips,
        failed=failed,
        left_out={str(clip): str(reason) for clip, reason in dict(facts.get("left_out") or {}).items()},  # type: ignore[call-overload]
        losses=None if steps.trained is None else (float(str(facts["first_loss"])), float(str(facts["last_loss"]))),
        registered_model=None if steps.version is None else str(steps.version.facts["model"]),
        version=None if steps.version is None else str(steps.version.facts["version"]),
        measures=_means(place, config, steps),
        differing=[] if steps.evaluation is None else [str(each) for each in _differing(place, steps.evaluation)],
        workbook=None if steps.report is None else publish_workbook(place, config, steps.report),
        guardrail=config.guardrail,
        refiner=config.refiner,
        steps=account(steps.artifacts, place.started),
    )


def _means(place: Workplace, config: WorldConfig, steps: WorldSteps) -> dict[str, dict[str, float]]:
    """Mean of each measure over the clips of each variant."""
    if steps.evaluation is None:
        return {}
    found = read_result(place.path(steps.evaluation))
    return {
        variant: {
            measure: value for measure in ClipMeasures.model_fields if (value := found.mean(variant, measure)) is not None
        }
        for variant in variants_of(config, steps.adapters)
    }


def _differing(place: Workplace, evaluation: Artifact) -> tuple[str, ...]:
    return read_result(place.path(evaluation)).differing


def _write(place: Workplace, config: WorldConfig, steps: WorldSteps, result: ClipResult) -> None:
    base, adapters = steps.base, steps.adapters
    assert result.artifact is not None
    folder, output = place.path(result.artifact), result.item.output
    facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    recipe = config.model_copy(
        update={
            "inputs": WorldInputs(items=(result.item.model_copy(update={"output": Path(output.name)}),)),
            "output": output.parent,
        }
    ).model_dump(mode="json", exclude={"record"}, exclude_none=True)
    record = {
        **facts,
        "is_noise": base.is_noise,
        "artifact": result.artifact.name,
        "base": base.name,
        "base_digest": base.digest,
        "adapter_digests": {adapter.name: adapter.digest for adapter in adapters},
        "input_sha256": digest_file(result.item.input),
        "code": code_revision(),
        "packages": package_versions(),
    }
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        # By a name of its own first: a player sees the old clip or the new one.
        unfinished = output.with_name(f".{output.name}.unfinished")
        shutil.copyfile(folder / CLIP, unfinished)
        unfinished.replace(output)
        text = json.dumps({**recipe, "record": record}, indent=1, ensure_ascii=False)
        output.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    except OSError as fault:
        raise UserError(f"output {output}: it cannot be written ({fault.strerror}): choose another folder") from None
