"""Steps registry and publish: the adapter as a version in MLflow, then its scores and workbook beside it."""

from pathlib import Path

from prefect import task

from tasks.base_model import BaseReference
from tasks.evaluation import ScoredModel
from tasks.manifest import media_root
from tasks.step import HOUR, OPTIONS, ByProvenance, make, store_in
from videoguard.artifacts import Artifact, Draft, Provenance, digest_source
from videoguard.config import DataSection, RegistrySection
from videoguard.evaluation.scores import read_evaluation
from videoguard.frames.store import FrameStore
from videoguard.manifests.listing import read_listing
from videoguard.registry.request import RegistrationReply, RegistrationRequest
from videoguard.subprocesses import call


def _registration(
    registry: RegistrySection,
    data: DataSection,
    base: BaseReference,
    manifest: Artifact,
    frames: Artifact,
    adapter: Artifact,
    state: Path,
) -> Provenance:
    return Provenance(
        step="registry",
        code=digest_source(["registry"]),
        settings=registry.model_dump(mode="json"),
        inputs={"adapter": adapter.digest, "run": str(adapter.facts["run_id"])},
    )


@task(name="registry", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_registration), **OPTIONS)
def register_adapter_task(
    registry: RegistrySection,
    data: DataSection,
    base: BaseReference,
    manifest: Artifact,
    frames: Artifact,
    adapter: Artifact,
    state: Path,
) -> Artifact:
    """Log the adapter as a model and register it as a new version."""

    def fill(draft: Draft) -> None:
        store = store_in(state)
        decoded = set(FrameStore(store.path(frames)).videos())
        listing = read_listing(store.path(manifest), media_root(data))
        example = next(sample for sample in listing.samples if sample.video in decoded)
        location = Path(base.location)
        request = RegistrationRequest(
            tracking_uri=registry.uri(state),
            run_id=str(adapter.facts["run_id"]),
            registered_model=registry.registered_model,
            adapter=(store.path(adapter) / "adapter").absolute(),
            base=str(location.absolute()) if location.exists() else base.location,
            example_video=example.path.absolute(),
            example_question=example.question,
            tags={"base_model": base.name, "base_digest": base.digest, "adapter_digest": adapter.digest},
        )
        reply = call("videoguard.registry", request, RegistrationReply, threads=1, timeout_s=HOUR)
        draft.facts = {"model": registry.registered_model, "version": reply.version}

    return make(state, _registration(registry, data, base, manifest, frames, adapter, state), fill)


def _publication(
    registry: RegistrySection, adapter: Artifact, scored: dict[str, ScoredModel], report: Artifact, state: Path
) -> Provenance:
    return Provenance(
        step="publish",
        code=digest_source(["registry"]),
        settings=registry.model_dump(mode="json"),
        inputs={
            "run": str(adapter.facts["run_id"]),
            "report": report.digest,
            **{name: model.evaluation.digest for name, model in scored.items()},
        },
    )


@task(name="publish", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_publication), **OPTIONS)
def publish_results(
    registry: RegistrySection, adapter: Artifact, scored: dict[str, ScoredModel], report: Artifact, state: Path
) -> Artifact:
    """Log the scores of each model, and the workbook, to the adapter's run."""

    def fill(draft: Draft) -> None:
        from videoguard.registry.tracking import Tracking

        store = store_in(state)
        tracking = Tracking(registry.uri(state), registry.experiment, state)
        run_id = str(adapter.facts["run_id"])
        for name, model in scored.items():
            summary = read_evaluation(store.path(model.evaluation)).summary
            means = {f"{name}.{metric}": figures.mean for metric, figures in summary.items() if figures.mean is not None}
            tracking.log_metrics(run_id, means)
        tracking.log_files(run_id, list(store.path(report).glob("*.xlsx")), "report")
        draft.facts = {"run_id": run_id}

    return make(state, _publication(registry, adapter, scored, report, state), fill)
