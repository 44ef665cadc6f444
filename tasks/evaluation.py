"""Step evaluation: the scores of one model's answers."""

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.cluster import for_workers, has_workers, submit_each
from tasks.dataset import schema_content
from tasks.inference import Answers
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_file, digest_source
from videoguard.evaluation.fingerprint import EVALUATION_SOURCE
from videoguard.evaluation.request import EvaluationReply, EvaluationRequest, available_resources
from videoguard.evaluation.shard_scores import SCORES, ShardReply, ShardRequest
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
    made_elsewhere = _score_on_workers(place, config, answers)

    def fill(draft: Draft) -> None:
        request = EvaluationRequest(
            rows=tuple(answered.files(place)),
            metrics=evaluation.metrics,
            sentence_model=evaluation.sentence_model,
            seed=config.seed,
            answer_schema=schema_content(config.dataset.answer),
            labels=evaluation.labels,
            judge=evaluation.judge,
            scores=tuple(place.path(shard) / SCORES for shard in made_elsewhere),
            custom=None if evaluation.custom is None else evaluation.custom.absolute(),
            state=place.state,
            output=draft.folder,
        )
        reply = call("videoguard.evaluation", request, EvaluationReply, threads=1, timeout_s=12 * HOUR)
        draft.facts = reply.model_dump(mode="json")

    return place.make(_provenance(place, config, answers), fill)


def _score_on_workers(place: Workplace, config: RunConfig, answers: list[Artifact]) -> list[Artifact]:
    """The scores of each shard by the workers of the recipe's cluster; none where it names no cluster."""
    if not has_workers() or len(answers) < 2 or place.find(_provenance(place, config, answers)) is not None:
        return []
    given = {"place": place, "config": config, "answers": answers}
    return submit_each(score_shard, [{**given, "shard": shard} for shard in range(len(answers))]).result()


def _shard_provenance(place: Workplace, config: RunConfig, answers: list[Artifact], shard: int) -> Provenance:
    return Provenance(
        step="scores",
        code=digest_source(EVALUATION_SOURCE),
        settings={
            **config.evaluation.model_dump(mode="json", include={"metrics", "sentence_model", "labels"}),
            "shard": f"{shard} of {len(answers)}",
        },
        inputs={"answers": Answers(shards=tuple(answers)).digest},
        parents=tuple(answers),
    )


@task(name="scores", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_shard_provenance), **OPTIONS)
@for_workers
def score_shard(place: Workplace, config: RunConfig, answers: list[Artifact], shard: int) -> Artifact:
    """Score the answers of one shard, as far as other rows have no part in it."""
    answered, evaluation = Answers(shards=tuple(answers)), config.evaluation

    def fill(draft: Draft) -> None:
        request = ShardRequest(
            rows=tuple(answered.files(place)),
            shard=shard,
            metrics=evaluation.metrics,
            sentence_model=evaluation.sentence_model,
            labels=evaluation.labels,
            state=place.state,
            output=draft.folder,
        )
        reply = call("videoguard.evaluation.shard_scores", request, ShardReply, threads=1, timeout_s=12 * HOUR)
        draft.facts = reply.model_dump(mode="json")

    return place.make(_shard_provenance(place, config, answers, shard), fill)
