"""Steps registry and publish: the adapter as a version in MLflow, and the workbook in the recipe's run."""

from pathlib import Path

from prefect import task

from tasks.base_model import BaseReference
from tasks.report import FRAMES
from tasks.runs import recipe_run, training_run
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_source
from videoguard.registry.presence import version_exists
from videoguard.registry.request import RegistrationReply, RegistrationRequest
from videoguard.subprocesses import call


def _registration(
    place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact, adapter: Artifact
) -> Provenance:
    return Provenance(
        step="registry",
        code=digest_source(["registry"]),
        settings={**config.registry.model_dump(mode="json", exclude={"promotion"}), "uri": config.registry.uri(place.state)},
        inputs={"adapter": adapter.digest},
        parents=(adapter, base.artifact, dataset),
    )


def _version_is_there(
    place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact, adapter: Artifact
) -> bool:
    found = place.find(_registration(place, config, base, dataset, adapter))
    return found is not None and _has_version(place, config, found)


def _has_version(place: Workplace, config: RunConfig, registered: Artifact) -> bool:
    """Whether MLflow still has the version: its database may have been deleted, or may be that of another machine."""
    uri = config.registry.uri(place.state)
    return version_exists(uri, str(registered.facts["model"]), str(registered.facts["version"]))


@task(
    name="registry",
    timeout_seconds=HOUR,
    cache_policy=ByProvenance(provenance=_registration, is_there=_version_is_there),
    **OPTIONS,
)
def register_adapter_task(
    place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact, adapter: Artifact
) -> Artifact:
    """Log the adapter as a model of its MLflow run, and register it as a new version.

    What MLflow missed of the training, because it did not answer, is sent now.
    """

    def fill(draft: Draft) -> None:
        request = RegistrationRequest(
            tracking_uri=config.registry.uri(place.state),
            experiment=config.registry.experiment,
            state=place.state,
            run_id=_id_of(adapter, "run_id"),
            parent_run_id=_id_of(adapter, "parent_run_id"),
            run=training_run(place, config, base, dataset),
            parent=recipe_run(place, config, base, dataset),
            training=place.path(adapter).absolute(),
            logged=bool(adapter.facts["logged"]),
            registered_model=config.registry.registered_model,
            base=str(Path(base.location).absolute()) if Path(base.location).exists() else base.location,
            version_tags={"base_model": base.name, "base_digest": base.digest, "adapter_digest": adapter.digest},
        )
        reply = call("videoguard.registry", request, RegistrationReply, threads=1, timeout_s=HOUR)
        draft.facts = {"model": config.registry.registered_model, **reply.model_dump(mode="json")}

    return place.make(
        _registration(place, config, base, dataset, adapter),
        fill,
        is_usable=lambda registered: _has_version(place, config, registered),
    )


def _id_of(adapter: Artifact, fact: str) -> str | None:
    """Of a run that showed the training; None where MLflow did not answer then."""
    run_id = adapter.facts.get(fact)
    return str(run_id) if run_id else None


def _publication(place: Workplace, config: RunConfig, recorded: Artifact, report: Artifact) -> Provenance:
    return Provenance(
        step="publish",
        code=digest_source(["registry"]),
        settings={},
        inputs={"run": str(recorded.facts["run_id"]), "report": report.digest},
        parents=(recorded, report),
    )


@task(name="publish", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_publication), **OPTIONS)
def publish_report(place: Workplace, config: RunConfig, recorded: Artifact, report: Artifact) -> Artifact:
    """Log workbook, page and pictures of the shown samples to the recipe's run, and mark it as finished."""

    def fill(draft: Draft) -> None:
        from videoguard.registry.tracking import connect

        tracking = connect(config.registry.uri(place.state), config.registry.experiment, place.state)
        run_id = str(recorded.facts["run_id"])
        files = [file for kind in ("*.xlsx", "*.html") for file in place.path(report).glob(kind)]
        tracking.log_files(run_id, files, "report")
        tracking.log_files(run_id, sorted((place.path(report) / FRAMES).glob("*.jpg")), FRAMES)
        tracking.finish(run_id, succeeded=True)
        draft.facts = {"run_id": run_id}

    return place.make(_publication(place, config, recorded, report), fill)
