"""Step world clip: each clip is an artifact of its own, so that what is generated once is not generated again."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from tasks.step import HOUR, OPTIONS, StepOptions, Workplace, on_event
from tasks.world import UsedAdapter, WorldBaseReference
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config.world import WorldConfig, WorldItem
from videoguard.digests import digest_file, digest_source
from videoguard.world.generation.request import RECORD, ClipFacts, ClipOrder, GenerationRequest
from videoguard.world.generation.running import run_orders

BASE, ADAPTED = "base", "adapted"
_SOURCE = ["world/generation", "world/pipeline.py", "world/media.py", "world/guardrail.py", "world/refiner.py"]
# Each clip has a record of its own, which is looked for within the task.
_OPTIONS: StepOptions = {**OPTIONS, "persist_result": False}


class ClipResult(BaseModel):
    """What became of a clip."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: WorldItem
    variant: str
    """`base` or `adapted`; where there are no adapters, `base`."""
    artifact: Artifact | None
    """None where it failed."""
    reason: str | None = None


def variants_of(config: WorldConfig, adapters: Sequence[UsedAdapter]) -> list[str]:
    """Which models generate each clip, the base first; the last one's clips are delivered."""
    if not adapters:
        return [BASE]
    return [BASE, ADAPTED] if config.evaluation is not None and config.evaluation.compare_base else [ADAPTED]


@task(name="world clips", timeout_seconds=96 * HOUR, cache_policy=NO_CACHE, **_OPTIONS)
def generate_clips_task(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    adapters: Sequence[UsedAdapter],
    items: Sequence[WorldItem],
    process: int,
    processes: int,
) -> list[ClipResult]:
    """The clips of one process: those that are stored, and those that it generates."""
    wanted = [(item, variant) for item in items[process::processes] for variant in variants_of(config, adapters)]
    missing: dict[str, Provenance] = {}
    results: dict[str, ClipResult] = {}
    orders: list[ClipOrder] = []
    for item, variant in wanted:
        key = f"{item.output} {variant}"
        if not item.input.is_file():
            results[key] = ClipResult(item=item, variant=variant, artifact=None, reason="the input is missing")
            continue
        provenance = clip_provenance(config, base, adapters, item, variant)
        found = place.find(provenance)
        results[key] = ClipResult(item=item, variant=variant, artifact=found)
        if found is None:
            missing[key] = provenance
            orders.append(_order(place, config, adapters, item, variant, key, provenance))

    def store(order: ClipOrder) -> None:
        made = place.make(missing[order.key], _moving(order.folder))
        results[order.key] = results[order.key].model_copy(update={"artifact": made})

    request = generation_request(place, config, base, adapters, orders, process)
    for key, reason in generate(request, config, store, part=str(process)).items():
        results[key] = results[key].model_copy(update={"reason": reason})
    return [results[f"{item.output} {variant}"] for item, variant in wanted]


def generate(
    request: GenerationRequest, config: WorldConfig, on_done: Callable[[ClipOrder], None], *, part: str
) -> dict[str, str]:
    """Generate the clips of a request; the reason of each that failed, by its key."""
    if not request.orders:
        return {}
    show = on_event("clips", part=part)
    return run_orders(request, threads=config.generation.threads, on_done=on_done, on_event=show)


def generation_request(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    adapters: Sequence[UsedAdapter],
    orders: Sequence[ClipOrder],
    process: int,
) -> GenerationRequest:
    """What a generating process is asked."""
    return GenerationRequest(
        base=base.folder,
        adapters={adapter.name: adapter.folder(place) for adapter in adapters},
        dtype=config.model.dtype,
        quantization=config.model.quantization,
        offload=config.model.offload,
        process=process,
        generation=config.generation,
        guardrail=config.guardrail,
        refiner=config.refiner,
        refiner_model=config.safety.refiner_model,
        orders=tuple(orders),
    )


def clip_provenance(
    config: WorldConfig, base: WorldBaseReference, adapters: Sequence[UsedAdapter], item: WorldItem, variant: str
) -> Provenance:
    """All that a clip depends on: not the names of its files, nor how many processes share the work."""
    used = adapters if variant == ADAPTED else ()
    safety = {"guardrail": config.guardrail, "refiner": config.refiner, "refiner_model": config.safety.refiner_model}
    return Provenance(
        step="world-clip",
        code=digest_source(_SOURCE),
        settings={
            **config.generation.model_dump(mode="json", exclude={"processes", "resolution", "size", "negative_prompt"}),
            "pixels": list(config.generation.pixels),
            "model": config.model.model_dump(mode="json", include={"dtype", "quantization", "offload"}),
            "prompt": item.prompt,
            "negative_prompt": _negative(config, item),
            "seed": _seed(config, item),
            **safety,
            "weights": {adapter.digest: adapter.weight for adapter in used},
        },
        inputs={"base": base.digest, "media": digest_file(item.input)},
        parents=(base.artifact, *(adapter.artifact for adapter in used)),
    )


def _order(
    place: Workplace,
    config: WorldConfig,
    adapters: Sequence[UsedAdapter],
    item: WorldItem,
    variant: str,
    key: str,
    provenance: Provenance,
) -> ClipOrder:
    used = adapters if variant == ADAPTED else ()
    return ClipOrder(
        key=key,
        input=item.input.absolute(),
        prompt=item.prompt,
        negative_prompt=_negative(config, item),
        seed=_seed(config, item),
        weights={adapter.name: adapter.weight for adapter in used},
        folder=(place.state / "world" / provenance.key).absolute(),
    )


def repeat_clips(
    place: Workplace,
    config: WorldConfig,
    base: WorldBaseReference,
    adapters: Sequence[UsedAdapter],
    results: Sequence[ClipResult],
    work: Path,
) -> list[str]:
    """Generate clips once more; the outputs of those whose frames came out different."""
    orders, recorded = [], {}
    for result in results:
        assert result.artifact is not None
        item, key = result.item, str(result.item.output)
        provenance = clip_provenance(config, base, adapters, item, result.variant)
        order = _order(place, config, adapters, item, result.variant, key, provenance)
        orders.append(order.model_copy(update={"folder": (work / "again" / provenance.key).absolute()}))
        recorded[key] = _frames_digest(place.path(result.artifact))
    request = generation_request(place, config, base, adapters, orders, 0)
    failed = generate(request, config, lambda order: None, part="again")
    differing = [order.key for order in orders if order.key in failed or _frames_digest(order.folder) != recorded[order.key]]
    shutil.rmtree(work / "again", ignore_errors=True)
    return differing


def _frames_digest(folder: Path) -> str:
    return ClipFacts.model_validate_json((folder / RECORD).read_bytes()).frames_sha256


def _moving(folder: Path) -> Callable[[Draft], None]:
    def fill(draft: Draft) -> None:
        for file in sorted(folder.iterdir()):
            shutil.move(str(file), draft.folder / file.name)
        folder.rmdir()

    return fill


def _negative(config: WorldConfig, item: WorldItem) -> str | None:
    return item.negative_prompt if item.negative_prompt is not None else config.generation.negative_prompt


def _seed(config: WorldConfig, item: WorldItem) -> int:
    return config.seed if item.seed is None else item.seed
