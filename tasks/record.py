"""Step record: the recipe's run in MLflow, with one run below it for each model that was evaluated."""

from collections.abc import Mapping

from prefect import task

from tasks.base_model import BaseReference
from tasks.evaluation import ScoredModel
from tasks.promotion import Promotion
from tasks.runs import MODEL, PART, evaluation_run, recipe_run
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_json, digest_source
from videoguard.evaluation.comparison import flatten_pairs, read_comparison
from videoguard.evaluation.scores import read_evaluation
from videoguard.inference.rows import read_rows
from videoguard.registry.presence import run_exists

_CHAMPION = "champion"


def _provenance(
    place: Workplace,
    config: RunConfig,
    base: BaseReference,
    dataset: Artifact,
    version: Artifact,
    scored: Mapping[str, ScoredModel],
    comparison: Artifact,
    tuned: str,
    promotion: Promotion | None = None,
) -> Provenance:
    decided = [] if promotion is None else [promotion.decided]
    return Provenance(
        step="record",
        code=digest_source(["registry", "evaluation/calibration.py"]),
        settings={},
        inputs={
            "run": str(version.facts["run_id"]),
            "comparison": comparison.digest,
            **{artifact.step: artifact.digest for artifact in decided},
            **{f"{name} answers": model.answers.digest for name, model in scored.items()},
            **{name: model.evaluation.digest for name, model in scored.items()},
        },
        parents=(version, comparison, *decided, *(model.evaluation for model in scored.values())),
    )


def _run_is_there(place: Workplace, config: RunConfig, *given: object, **named: object) -> bool:
    found = place.find(_provenance(place, config, *given, **named))  # type: ignore[arg-type]
    return found is not None and _has_run(place, config, found)


def _has_run(place: Workplace, config: RunConfig, recorded: Artifact) -> bool:
    """Whether MLflow still has the run: it may have been deleted there."""
    return run_exists(config.registry.uri(place.state), str(recorded.facts["run_id"]))


@task(
    name="record",
    timeout_seconds=HOUR,
    cache_policy=ByProvenance(provenance=_provenance, is_there=_run_is_there),
    **OPTIONS,
)
def record_results(
    place: Workplace,
    config: RunConfig,
    base: BaseReference,
    dataset: Artifact,
    version: Artifact,
    scored: Mapping[str, ScoredModel],
    comparison: Artifact,
    tuned: str,
    promotion: Promotion | None = None,
) -> Artifact:
    """Log each model's scores and answers, their comparison, and the decision on the version; its facts name the run."""
    provenance = _provenance(place, config, base, dataset, version, scored, comparison, tuned, promotion)

    def fill(draft: Draft) -> None:
        from videoguard.registry.evaluations import figures_of, log_evaluation, open_recipe_run
        from videoguard.registry.tracking import connect

        tracking = connect(config.registry.uri(place.state), config.registry.experiment, place.state)
        new = recipe_run(place, config, base, dataset)
        trained_in = version.facts.get("parent_run_id")
        run_id = open_recipe_run(
            tracking, new, None if trained_in is None else str(trained_in), digest_json(provenance.inputs)
        )
        champion = None if promotion is None else promotion.champion
        for name, model in {**scored, **({} if champion is None else {_CHAMPION: champion})}.items():
            rows = [row for file in model.answers.files(place) for row in read_rows(file)]
            evaluation = read_evaluation(place.path(model.evaluation))
            log_evaluation(
                tracking,
                run_id,
                evaluation_run(place, config, base, dataset, name),
                rows,
                evaluation,
                identity={PART: "evaluation", MODEL: name},
                model_id=str(version.facts["model_id"]) if name == tuned and version.facts.get("model_id") else None,
            )
            tracking.log_metrics(run_id, {f"{name}.{metric}": value for metric, value in figures_of(evaluation).items()})
        compared = place.path(comparison)
        tracking.log_metrics(run_id, flatten_pairs(read_comparison(compared)))
        tracking.log_files(run_id, list(compared.glob("*.json")), "evaluation")
        # The training may have been part of an earlier run.
        tracking.log_tags(run_id, {"training_run": str(version.facts["run_id"])})
        if promotion is not None:
            tracking.log_tags(run_id, promotion.decision(place).tags())
            tracking.log_files(run_id, list(place.path(promotion.decided).glob("promotion.json")), "evaluation")
        draft.facts = {"run_id": run_id}

    return place.make(provenance, fill, is_usable=lambda recorded: _has_run(place, config, recorded))
