"""Delivery: clips under the names that the user asked for, each with the recipe that makes it again."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tasks.step import Workplace
from tasks.world import UsedAdapter, WorldBaseReference
from tasks.world_clips import ClipResult, variants_of
from videoguard.config.world import WorldConfig, WorldInputs
from videoguard.digests import digest_file
from videoguard.errors import UserError
from videoguard.revision import code_revision, package_versions
from videoguard.summary import account
from videoguard.world.generation.request import CLIP, RECORD
from videoguard.world.summary import WorldSummary


def deliver(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    adapters: Sequence[UsedAdapter],
    results: Sequence[ClipResult],
) -> WorldSummary:
    """Write the clips of the last variant, and sum up.

    Raises:
        UserError: an output cannot be written.
    """
    delivered = variants_of(config, adapters)[-1]
    clips = []
    for result in results:
        if result.variant == delivered and result.artifact is not None:
            _write(place, config, base, adapters, result)
            clips.append(result.item.output)
    made = [result.artifact for result in results if result.artifact is not None]
    failed = {str(result.item.output): result.reason for result in results if result.reason is not None}
    parents = [base.artifact, *(adapter.artifact for adapter in adapters)]
    return WorldSummary(
        name=config.name,
        is_noise=base.is_noise,
        clips=clips,
        failed=failed,
        guardrail=config.guardrail,
        refiner=config.refiner,
        steps=account([*parents, *made], place.started),
    )


def _write(
    place: Workplace, config: WorldConfig, base: WorldBaseReference, adapters: Sequence[UsedAdapter], result: ClipResult
) -> None:
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
