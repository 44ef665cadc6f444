"""Steps world training and registry: an adapter of the world model, seen live in MLflow, and its registered version."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.runtime import flow_run

from tasks.step import HOUR, OPTIONS, ByProvenance, Event, Workplace, on_event
from tasks.world import UsedAdapter, WorldBaseReference
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config.world import WorldConfig, WorldTraining
from videoguard.digests import digest_file, digest_source
from videoguard.errors import UserError
from videoguard.recipes import flatten
from videoguard.registry.presence import version_exists
from videoguard.registry.request import NewRun, RegistrationReply
from videoguard.registry.world_request import WorldRegistrationRequest
from videoguard.subprocesses import call
from videoguard.world.inputs import read_training_batch
from videoguard.world.training.request import TrainingExample, WorldTrainingReply, WorldTrainingRequest

if TYPE_CHECKING:
    from videoguard.registry.live import LiveRun

TRAINED = "trained"
_SOURCE = ["world/training", "world/pipeline.py", "world/media.py", "world/adapters"]
_WITHOUT_EFFECT = {"batch", "checkpoint_every"}
"""Settings that do not decide which adapter comes out; of the batch that is the content of its clips and prompts."""


def require_trainable(config: WorldConfig) -> WorldTraining:
    """The training section.

    Raises:
        UserError: it cannot be done with the other settings.
    """
    assert config.training is not None
    if config.model.quantization != "none":
        raise UserError(f"model.quantization is {config.model.quantization}: training wants whole weights: take none")
    if any((adapter.name or adapter.path.stem) == TRAINED for adapter in config.adapters):
        raise UserError(f"adapters: {TRAINED} is the name of the adapter that is trained: give another name")
    return config.training


def _provenance(place: Workplace, config: WorldConfig, base: WorldBaseReference) -> Provenance:
    training = require_trainable(config)
    clips = read_training_batch(training.batch)
    how = config.generation
    return Provenance(
        step="world-training",
        code=digest_source(_SOURCE),
        settings={
            **training.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
            "pixels": list(how.pixels),
            "frames": how.frame_count,
            "condition_frames": how.condition_frames,
            "dtype": config.model.dtype,
            "seed": config.seed,
            "prompts": [prompt for _, prompt in clips],
        },
        inputs={
            "base": base.digest,
            **{f"clip {number}": _digest(video) for number, (video, _) in enumerate(clips)},
        },
        parents=(base.artifact,),
    )


@task(name="world training", timeout_seconds=96 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def train_world_adapter_task(place: Workplace, config: WorldConfig, base: WorldBaseReference) -> Artifact:
    """Train an adapter; its facts tell how it went and which MLflow run showed its curve, where MLflow answered."""
    training = require_trainable(config)

    def fill(draft: Draft) -> None:
        request = WorldTrainingRequest(
            base=base.folder,
            dtype=config.model.dtype,
            generation=config.generation,
            training=training,
            seed=config.seed,
            examples=tuple(
                TrainingExample(video=video, prompt=prompt) for video, prompt in read_training_batch(training.batch)
            ),
            checkpoints=draft.work / "checkpoints",
            output=draft.folder,
        )
        show = on_event("world training")
        with _live_run(place, config, base, draft) as live:

            def pass_on(event: Event) -> None:
                show(event)
                if event["metrics"]:
                    live.log(event["metrics"], event["step"])

            reply = call(
                "videoguard.world.training",
                request,
                WorldTrainingReply,
                threads=config.generation.threads,
                timeout_s=96 * HOUR,
                on_event=pass_on,
            )
        draft.facts = {**reply.model_dump(mode="json"), "run_id": live.run_id, "logged": live.complete}

    return place.make(_provenance(place, config, base), fill)


def use_trained(artifact: Artifact) -> UsedAdapter:
    """The trained adapter, at full strength."""
    return UsedAdapter(name=TRAINED, weight=1.0, artifact=artifact)


def _registration(place: Workplace, config: WorldConfig, base: WorldBaseReference, adapter: Artifact) -> Provenance:
    return Provenance(
        step="world-registry",
        code=digest_source(["registry"]),
        settings={
            **config.registry.model_dump(mode="json"),
            "uri": config.registry.uri(place.state),
            "model": _how(config),
        },
        inputs={"adapter": adapter.digest, "base": base.digest},
        parents=(adapter, base.artifact),
    )


def _version_is_there(place: Workplace, config: WorldConfig, base: WorldBaseReference, adapter: Artifact) -> bool:
    found = place.find(_registration(place, config, base, adapter))
    return found is not None and _has_version(place, config, found)


def _has_version(place: Workplace, config: WorldConfig, registered: Artifact) -> bool:
    uri = config.registry.uri(place.state)
    return version_exists(uri, str(registered.facts["model"]), str(registered.facts["version"]))


@task(
    name="world registry",
    timeout_seconds=HOUR,
    cache_policy=ByProvenance(provenance=_registration, is_there=_version_is_there),
    **OPTIONS,
)
def register_world_adapter_task(
    place: Workplace, config: WorldConfig, base: WorldBaseReference, adapter: Artifact
) -> Artifact:
    """Log the trained adapter as a model of its MLflow run, and register it as a new version."""

    def fill(draft: Draft) -> None:
        request = WorldRegistrationRequest(
            tracking_uri=config.registry.uri(place.state),
            experiment=config.registry.experiment,
            state=place.state,
            run_id=str(adapter.facts["run_id"]) if adapter.facts["run_id"] else None,
            run=_new_run(config, base),
            training=place.path(adapter).absolute(),
            logged=bool(adapter.facts["logged"]),
            registered_model=config.registry.registered_model,
            base=str(base.folder.absolute()),
            model=_how(config),
            version_tags={"base_model": base.name, "base_digest": base.digest, "adapter_digest": adapter.digest},
        )
        reply = call("videoguard.registry.world_versions", request, RegistrationReply, threads=1, timeout_s=HOUR)
        draft.facts = {"model": config.registry.registered_model, **reply.model_dump(mode="json")}

    return place.make(
        _registration(place, config, base, adapter),
        fill,
        is_usable=lambda registered: _has_version(place, config, registered),
    )


def _how(config: WorldConfig) -> dict[str, object]:
    """How the registered model loads its pipeline and generates."""
    return {
        **config.model.model_dump(mode="json", include={"dtype", "quantization", "offload"}),
        "generation": config.generation.model_dump(mode="json"),
        "seed": config.seed,
        "guardrail": config.guardrail,
        "refiner": config.refiner,
        "refiner_model": config.safety.refiner_model,
    }


def _live_run(place: Workplace, config: WorldConfig, base: WorldBaseReference, draft: Draft) -> "LiveRun":
    from videoguard.registry.live import LiveRun
    from videoguard.registry.tracking import Tracking

    return LiveRun(
        lambda: Tracking(config.registry.uri(place.state), config.registry.experiment, place.state),
        draft.work / "mlflow-run",
        _new_run(config, base),
    )


def _new_run(config: WorldConfig, base: WorldBaseReference) -> NewRun:
    return NewRun(
        name=f"{config.name} {datetime.now(UTC):%Y-%m-%d %H:%M}",
        settings=flatten(config.model_dump(mode="json", exclude={"record"})),
        tags={"prefect_flow_run": str(flow_run.get_id() or ""), "base_model": base.name, "base_digest": base.digest},
    )


def _digest(video: Path) -> str:
    return digest_file(video) if video.is_file() else "missing"
