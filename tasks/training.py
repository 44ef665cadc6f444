"""Step training: a LoRA adapter of the base model, trained in a process of its own, seen live in MLflow."""

from typing import TYPE_CHECKING

from prefect import task

from tasks.base_model import HOW_LOADED, BaseReference
from tasks.dataset import schema_content
from tasks.frames import StoredFrames, frame_artifacts, frame_folders, frames_digest, sampling_rule
from tasks.runs import recipe_run, training_run
from tasks.step import HOUR, OPTIONS, ByProvenance, Event, Workplace, on_event
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig, TrainingSection
from videoguard.digests import digest_source
from videoguard.subprocesses import call
from videoguard.training.launching import read_deepspeed_settings, read_hosts
from videoguard.training.request import Scoring, TrainingReply, TrainingRequest

if TYPE_CHECKING:
    from videoguard.registry.live import LiveRun

_SOURCE = [
    "training",
    "augmentation",
    "models/preprocessing.py",
    "models/chat.py",
    "models/media.py",
    "models/batching.py",
    "models/loading.py",
    "models/families.py",
    "models/parts.py",
    "models/checkpoints.py",
    "dataset/messages.py",
]
_SCORING_SOURCE = [
    "inference/engine.py",
    "inference/decoding.py",
    "inference/generation.py",
    "inference/structured",
    "evaluation",
    "manifests/labels.py",
    "dataset/answer_schema.py",
]

_WITHOUT_EFFECT = {"keep_last", "peak_tflops", "deepspeed"}
"""Settings that do not decide which adapter comes out; of DeepSpeed's file that is its content."""


def _provenance(
    place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact, frames: StoredFrames | None
) -> Provenance:
    return Provenance(
        step="training",
        code=digest_source(_SOURCE if config.training.metric == "loss" else [*_SOURCE, *_SCORING_SOURCE]),
        settings={
            "training": _settings(config.training),
            "model": config.model.model_dump(include=HOW_LOADED),
            "seed": config.seed,
            "base": base.name,
            # The adapter's preprocessing record holds both, also where other values would give the same frames and texts.
            "frames": sampling_rule(config.frames),
            **({} if config.augmentation is None else {"augmentation": config.augmentation.model_dump(mode="json")}),
            **_chosen_by(config),
            **_cooperation(config.training),
            "prompt": config.dataset.model_dump(include={"system_prompt", "question"}),
        },
        inputs={"base": base.digest, "dataset": dataset.digest, "frames": frames_digest(frames)},
        parents=(base.artifact, dataset, *frame_artifacts(frames)),
    )


def _settings(training: TrainingSection) -> dict[str, object]:
    """The training section; of a hostfile, the number of machines decides, and not its name or theirs."""
    machines = None if training.hostfile is None else len(read_hosts(training.hostfile))
    return {**training.model_dump(mode="json", exclude=_WITHOUT_EFFECT), "hostfile": machines}


def _chosen_by(config: RunConfig) -> dict[str, object]:
    """What the score of the validation answers depends on, where the best checkpoint is chosen by it."""
    if config.training.metric == "loss":
        return {}
    schema = schema_content(config.dataset.answer)
    return {
        "scoring": [config.inference.max_new_tokens, config.evaluation.sentence_model],
        **({} if schema is None else {"answer_schema": schema}),
    }


def _cooperation(training: TrainingSection) -> dict[str, object]:
    return {} if training.deepspeed is None else {"deepspeed": read_deepspeed_settings(training.deepspeed)}


@task(name="training", timeout_seconds=96 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def train_adapter(
    place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact, frames: StoredFrames | None
) -> Artifact:
    """Train the adapter; its facts name the MLflow run that showed its curves, where MLflow answered."""

    def fill(draft: Draft) -> None:
        with _live_run(place, config, base, dataset, draft) as live:
            reply = _train(place, config, base, dataset, frames, draft, live)
        seen = {"run_id": live.run_id, "parent_run_id": live.parent_run_id, "logged": live.complete}
        draft.facts = {**reply.model_dump(mode="json"), **seen}

    return place.make(_provenance(place, config, base, dataset, frames), fill)


def _live_run(place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact, draft: Draft) -> "LiveRun":
    from videoguard.registry.live import LiveRun
    from videoguard.registry.tracking import Tracking

    return LiveRun(
        lambda: Tracking(config.registry.uri(place.state), config.registry.experiment, place.state),
        draft.work / "mlflow-run",
        training_run(place, config, base, dataset),
        recipe_run(place, config, base, dataset),
    )


def _train(
    place: Workplace,
    config: RunConfig,
    base: BaseReference,
    dataset: Artifact,
    frames: StoredFrames | None,
    draft: Draft,
    live: "LiveRun",
) -> TrainingReply:
    request = TrainingRequest(
        base=base.location,
        base_name=base.name,
        revision=base.revision,
        dtype=config.model.dtype,
        quantization=config.model.quantization,
        attention=config.model.attention,
        dataset=place.path(dataset),
        **frame_folders(place, frames),
        frames=config.frames,
        system_prompt=config.dataset.system_prompt,
        question=config.dataset.question,
        training=config.training,
        augmentation=config.augmentation,
        scoring=_scoring(place, config),
        seed=config.seed,
        checkpoints=draft.work / "checkpoints",
        output=draft.folder,
    )
    show = on_event("training")

    def pass_on(event: Event) -> None:
        show(event)
        if event["metrics"]:
            live.log(event["metrics"], event["step"])

    return call(
        "videoguard.training",
        request,
        TrainingReply,
        threads=config.training.threads,
        timeout_s=96 * HOUR,
        on_event=pass_on,
    )


def _scoring(place: Workplace, config: RunConfig) -> Scoring | None:
    if config.training.metric == "loss":
        return None
    return Scoring(
        metric=config.training.metric,
        samples=config.training.metric_samples,
        batch_size=config.inference.batch_size,
        max_new_tokens=config.inference.max_new_tokens,
        sentence_model=config.evaluation.sentence_model,
        state=place.state,
        answer_schema=schema_content(config.dataset.answer),
    )
