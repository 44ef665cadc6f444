"""Step evaluation: the scores of one model's answers."""

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.dataset import schema_content
from tasks.inference import Answers
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_file, digest_source
from videoguard.evaluation.fingerprint import EVALUATION_SOURCE
from videoguard.evaluation.request import EvaluationReply, EvaluationRequest, available_resources
from videoguard.subprocesses import call


class ScoredModel(BaseModel):
    """One model's answers and their scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: Answers
    evaluation: Artifact


def _provenance(place: Workplace, config: RunConfig, answers: list[Artifact]) -> Provenance:
    evaluation, schema = config.evaluation, schema_content(config.dataset.answer)
    return Provenance(
        step="evaluation",
        code=digest_source(EVALUATION_SOURCE),
        settings={
            **evaluation.model_dump(mode="json"),
            "seed": config.seed,
            # The content decides, wherever the file lies.
            "custom": None if evaluation.custom is None else digest_file(evaluation.custom),
            **({} if schema is None else {"answer_schema": schema}),
        },
        inputs={
            "answers": Answers(shards=tuple(answers)).digest,
            # A metric that lacked WordNet or its encoder is computed once they are there.
            **available_resources(evaluation.sentence_model, place.state),
        },
        parents=tuple(answers),
    )


@task(name="evaluation", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def score_answers(place: Workplace, config: RunConfig, answers: list[Artifact]) -> Artifact:
    """Score every answer of the shards and summarize each metric."""
    answered, evaluation = Answers(shards=tuple(answers)), config.evaluation

    def fill(draft: Draft) -> None:
        request = EvaluationRequest(
            rows=tuple(answered.files(place)),
            metrics=evaluation.metrics,
            sentence_model=evaluation.sentence_model,
            seed=config.seed,
            answer_schema=schema_content(config.dataset.answer),
            labels=evaluation.labels,
            judge=evaluation.judge,
            custom=None if evaluation.custom is None else evaluation.custom.absolute(),
            state=place.state,
            output=draft.folder,
        )
        reply = call("videoguard.evaluation", request, EvaluationReply, threads=1, timeout_s=12 * HOUR)
        draft.facts = reply.model_dump(mode="json")

    return place.make(_provenance(place, config, answers), fill)
