"""Step evaluation: the scores of one model's answers."""

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.inference import Answers
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import EvaluationSection
from videoguard.digests import digest_source
from videoguard.evaluation.request import EvaluationReply, EvaluationRequest, available_resources
from videoguard.subprocesses import call


class ScoredModel(BaseModel):
    """One model's answers and their scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: Answers
    evaluation: Artifact


def _provenance(place: Workplace, evaluation: EvaluationSection, seed: int, answers: list[Artifact]) -> Provenance:
    return Provenance(
        step="evaluation",
        code=digest_source(["evaluation", "manifests/labels.py"]),
        settings={**evaluation.model_dump(mode="json"), "seed": seed},
        inputs={
            "answers": Answers(shards=tuple(answers)).digest,
            # A metric that lacked WordNet or its encoder is computed once they are there.
            **available_resources(evaluation.sentence_model, place.state),
        },
        parents=tuple(answers),
    )


@task(name="evaluation", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def score_answers(place: Workplace, evaluation: EvaluationSection, seed: int, answers: list[Artifact]) -> Artifact:
    """Score every answer of the shards and summarize each metric."""
    answered = Answers(shards=tuple(answers))

    def fill(draft: Draft) -> None:
        request = EvaluationRequest(
            rows=tuple(answered.files(place)),
            metrics=evaluation.metrics,
            sentence_model=evaluation.sentence_model,
            seed=seed,
            state=place.state,
            output=draft.folder,
        )
        reply = call("videoguard.evaluation", request, EvaluationReply, threads=1, timeout_s=12 * HOUR)
        draft.facts = reply.model_dump(mode="json")

    return place.make(_provenance(place, evaluation, seed, answers), fill)
