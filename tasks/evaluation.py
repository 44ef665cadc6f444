"""Step evaluation: the scores of one model's answers."""

from pathlib import Path

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.step import HOUR, OPTIONS, ByProvenance, make, store_in
from videoguard.artifacts import Artifact, Draft, Provenance, digest_source
from videoguard.config import EvaluationSection
from videoguard.evaluation.request import EvaluationReply, EvaluationRequest, available_resources
from videoguard.subprocesses import call

ROWS = "rows.jsonl"


class ScoredModel(BaseModel):
    """One model's answers and their scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: Artifact
    evaluation: Artifact


def _provenance(evaluation: EvaluationSection, seed: int, answers: Artifact, state: Path) -> Provenance:
    return Provenance(
        step="evaluation",
        code=digest_source(["evaluation", "manifests/labels.py"]),
        settings={**evaluation.model_dump(mode="json"), "seed": seed},
        # A metric that lacked WordNet or its encoder is computed once they are there.
        inputs={"answers": answers.digest, **available_resources(evaluation.sentence_model, state)},
    )


@task(name="evaluation", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def score_answers(evaluation: EvaluationSection, seed: int, answers: Artifact, state: Path) -> ScoredModel:
    """Score every answer and summarize each metric."""

    def fill(draft: Draft) -> None:
        request = EvaluationRequest(
            rows=store_in(state).path(answers) / ROWS,
            metrics=evaluation.metrics,
            sentence_model=evaluation.sentence_model,
            seed=seed,
            state=state,
            output=draft.folder,
        )
        reply = call("videoguard.evaluation", request, EvaluationReply, threads=1, timeout_s=12 * HOUR)
        draft.facts = reply.model_dump(mode="json")

    return ScoredModel(answers=answers, evaluation=make(state, _provenance(evaluation, seed, answers, state), fill))
