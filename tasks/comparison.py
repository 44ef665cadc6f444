"""Step comparison: the models of a run, pair by pair on the same samples."""

from prefect import task

from tasks.evaluation import ScoredModel
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_source
from videoguard.evaluation.scores import read_evaluation
from videoguard.inference.rows import read_rows


def _provenance(place: Workplace, config: RunConfig, scored: dict[str, ScoredModel]) -> Provenance:
    return Provenance(
        step="comparison",
        code=digest_source(["evaluation"]),
        settings={"seed": config.seed},
        inputs={
            **{f"{name} answers": model.answers.digest for name, model in scored.items()},
            **{f"{name} scores": model.evaluation.digest for name, model in scored.items()},
        },
        parents=tuple(model.evaluation for model in scored.values()),
    )


@task(name="comparison", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def compare_scored(place: Workplace, config: RunConfig, scored: dict[str, ScoredModel]) -> Artifact:
    """Compare the models by every metric; the first is the one to compare with."""

    def fill(draft: Draft) -> None:
        from videoguard.evaluation.comparing import ComparedModel, compare_models
        from videoguard.evaluation.comparison import write_comparison

        models = [
            ComparedModel(
                name,
                [row for file in model.answers.files(place) for row in read_rows(file)],
                read_evaluation(place.path(model.evaluation)),
            )
            for name, model in scored.items()
        ]
        comparison = compare_models(models, seed=config.seed)
        write_comparison(comparison, draft.folder)
        draft.facts = {"samples": comparison.samples, "tests": comparison.tests}

    return place.make(_provenance(place, config, scored), fill)
