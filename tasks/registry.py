"""Steps registry and publish: the adapter as a version in MLflow, then its scores and workbook beside it."""

from pathlib import Path

from prefect import task

from tasks.base_model import BaseReference
from tasks.evaluation import ScoredModel
from tasks.promotion import Promotion
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from tasks.training import run_name, run_tags
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_source
from videoguard.evaluation.comparison import flatten_pairs, read_comparison
from videoguard.evaluation.scores import read_evaluation
from videoguard.recipes import flatten
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
            run_id=str(adapter.facts["run_id"]) if adapter.facts["run_id"] else None,
            run_name=run_name(config),
            run_tags=run_tags(base, dataset.digest),
            settings=flatten(config.model_dump(mode="json")),
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


def _publication(
    place: Workplace,
    config: RunConfig,
    version: Artifact,
    scored: dict[str, ScoredModel],
    comparison: Artifact,
    report: Artifact,
    promotion: Promotion | None = None,
) -> Provenance:
    decided = [] if promotion is None else [promotion.decided]
    return Provenance(
        step="publish",
        code=digest_source(["registry"]),
        settings={},
        inputs={
            "run": str(version.facts["run_id"]),
            "report": report.digest,
            "comparison": comparison.digest,
            **{artifact.step: artifact.digest for artifact in decided},
            **{name: model.evaluation.digest for name, model in scored.items()},
        },
        parents=(version, comparison, report, *decided, *(model.evaluation for model in scored.values())),
    )


@task(name="publish", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_publication), **OPTIONS)
def publish_results(
    place: Workplace,
    config: RunConfig,
    version: Artifact,
    scored: dict[str, ScoredModel],
    comparison: Artifact,
    report: Artifact,
    promotion: Promotion | None = None,
) -> Artifact:
    """Log to the adapter's run: each model's scores, their comparison, the decision on the version, workbook and page."""

    def fill(draft: Draft) -> None:
        from videoguard.registry.tracking import connect

        tracking = connect(config.registry.uri(place.state), config.registry.experiment, place.state)
        run_id = str(version.facts["run_id"])
        for name, model in scored.items():
            summary = read_evaluation(place.path(model.evaluation)).summary
            means = {f"{name}.{metric}": figures.mean for metric, figures in summary.items() if figures.mean is not None}
            tracking.log_metrics(run_id, means)
        compared = place.path(comparison)
        tracking.log_metrics(run_id, flatten_pairs(read_comparison(compared)))
        tracking.log_files(run_id, list(compared.glob("*.json")), "evaluation")
        if promotion is not None:
            tracking.log_tags(run_id, promotion.decision(place).tags())
            tracking.log_files(run_id, list(place.path(promotion.decided).glob("promotion.json")), "evaluation")
        files = [file for kind in ("*.xlsx", "*.html") for file in place.path(report).glob(kind)]
        tracking.log_files(run_id, files, "report")
        draft.facts = {"run_id": run_id}

    return place.make(_publication(place, config, version, scored, comparison, report, promotion), fill)
