"""Step training: a LoRA adapter of the base model, trained in a process of its own, seen live in MLflow."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.runtime import flow_run

from tasks.base_model import BaseReference
from tasks.frames import sampling_rule
from tasks.step import HOUR, OPTIONS, ByProvenance, Event, make, on_event, store_in
from videoguard.artifacts import Artifact, Draft, Provenance, digest_source
from videoguard.config import RunConfig
from videoguard.recipes import flatten
from videoguard.subprocesses import call
from videoguard.training.request import TrainingReply, TrainingRequest

if TYPE_CHECKING:
    from videoguard.registry.tracking import Tracking

_SOURCE = ["training", "models/preprocessing.py", "models/loading.py", "models/families.py", "dataset/messages.py"]


def _provenance(config: RunConfig, base: BaseReference, dataset: Artifact, frames: Artifact, state: Path) -> Provenance:
    return Provenance(
        step="training",
        code=digest_source(_SOURCE),
        settings={
            "training": config.training.model_dump(mode="json"),
            "dtype": config.model.dtype,
            "seed": config.seed,
            "base": base.name,
            # The adapter's preprocessing record holds both, also where other values would give the same frames and texts.
            "frames": sampling_rule(config.frames),
            "prompt": config.dataset.model_dump(include={"system_prompt", "question"}),
        },
        inputs={"base": base.digest, "dataset": dataset.digest, "frames": frames.digest},
    )


@task(name="training", timeout_seconds=96 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def train_adapter(config: RunConfig, base: BaseReference, dataset: Artifact, frames: Artifact, state: Path) -> Artifact:
    """Train the adapter; its facts name the MLflow run that shows its curves."""

    def fill(draft: Draft) -> None:
        from videoguard.registry.tracking import Tracking

        tracking = Tracking(config.registry.uri(state), config.registry.experiment, state)
        run_id = tracking.start_run(
            f"{config.name} {datetime.now(UTC):%Y-%m-%d %H:%M}",
            flatten(config.model_dump(mode="json")),
            {
                "prefect_flow_run": str(flow_run.get_id() or ""),
                "base_model": base.name,
                "base_digest": base.digest,
                "dataset_digest": dataset.digest,
            },
        )
        succeeded = False
        try:
            reply = _train(config, base, dataset, frames, state, draft, tracking, run_id)
            succeeded = True
        finally:
            tracking.finish(run_id, succeeded=succeeded)
        tracking.log_metrics(run_id, _final_metrics(reply), reply.steps)
        tracking.log_files(run_id, [draft.folder / "curves.png", draft.folder / "log.jsonl"], "training")
        draft.facts = {**reply.model_dump(mode="json"), "run_id": run_id}

    return make(state, _provenance(config, base, dataset, frames, state), fill)


def _final_metrics(reply: TrainingReply) -> dict[str, float]:
    kept = {} if reply.best_validation_loss is None else {"best_validation_loss": reply.best_validation_loss}
    return {**kept, "training_seconds": reply.seconds, "trainable_parameters": reply.trainable_parameters}


def _train(
    config: RunConfig,
    base: BaseReference,
    dataset: Artifact,
    frames: Artifact,
    state: Path,
    draft: Draft,
    tracking: "Tracking",
    run_id: str,
) -> TrainingReply:
    store = store_in(state)
    request = TrainingRequest(
        base=base.location,
        base_name=base.name,
        revision=base.revision,
        dtype=config.model.dtype,
        dataset=store.path(dataset),
        frame_store=store.path(frames),
        frames=config.frames,
        system_prompt=config.dataset.system_prompt,
        question=config.dataset.question,
        training=config.training,
        seed=config.seed,
        checkpoints=state / "work" / "training" / draft.folder.name,
        output=draft.folder,
    )
    show = on_event("training")

    def pass_on(event: Event) -> None:
        show(event)
        metrics: Mapping[str, float] = event["metrics"]
        tracking.log_metrics(run_id, metrics, event["step"])

    return call(
        "videoguard.training",
        request,
        TrainingReply,
        threads=config.training.threads,
        timeout_s=96 * HOUR,
        on_event=pass_on,
    )
