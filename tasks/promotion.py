"""Step promotion: the new version and the champion on the same test samples, and the aliases as their test says."""

from collections.abc import Sequence

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.base_model import BaseReference
from tasks.evaluation import ScoredModel
from tasks.frames import StoredFrames
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from tasks.versions import ask_version
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import PromotionSection, RunConfig
from videoguard.digests import digest_source
from videoguard.evaluation.promotion import PromotionDecision, read_decision, write_decision
from videoguard.evaluation.scores import read_evaluation
from videoguard.inference.rows import read_rows
from videoguard.registry.standing import Standing, read_standing

_CHAMPION, _CANDIDATE = "champion", "candidate"


class Opponent(BaseModel):
    """Whom the new version is tested against."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    standing: Standing
    scored: ScoredModel | None = None
    """None where it cannot be asked about these samples."""
    refusal: str | None = None
    """Why it cannot."""
    made: tuple[Artifact, ...] = ()
    """What was made or reused to ask it: its adapter, answers and scores."""


class Promotion(BaseModel):
    """The decision, and what it rests on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decided: Artifact
    asked: tuple[Artifact, ...]
    """Adapter, answers and scores of the champion; empty where the base model stood for it."""
    champion: ScoredModel | None = None
    """The champion on the same samples; None where the base model stood for it."""

    def decision(self, place: Workplace) -> PromotionDecision:
        """What was decided."""
        return read_decision(place.path(self.decided))

    def artifacts(self) -> list[Artifact]:
        """Every artifact, in the order of the steps."""
        return [*self.asked, self.decided]


def put_to_test(
    place: Workplace,
    config: RunConfig,
    version: Artifact,
    scored: Sequence[ScoredModel],
    base: BaseReference,
    dataset: Artifact,
    frames: StoredFrames | None,
) -> Promotion | None:
    """Test the new version against the champion, and promote it where it is shown to be better.

    Args:
        place: where the run works.
        config: the recipe.
        version: the registered version of the new adapter.
        scored: the base model and the new adapter, on the test split.
        base: of the new adapter.
        dataset: whose test split the champion is asked about.
        frames: of its videos.

    Returns:
        None where the recipe has no rule of promotion.
    """
    if config.registry.promotion is None:
        return None
    base_scored, candidate = scored
    facts = version.facts
    standing = read_standing(config.registry.uri(place.state), str(facts["model"]), str(facts["version"]))
    opponent = Opponent(standing=standing, scored=base_scored)
    if standing.settled is None and standing.opponent is not None:
        opponent = _ask_champion(place, config, standing, base, dataset, frames)
    return Promotion(
        decided=decide_promotion(place, config, version, candidate, opponent),
        asked=opponent.made,
        champion=opponent.scored if opponent.made else None,
    )


def _ask_champion(
    place: Workplace,
    config: RunConfig,
    standing: Standing,
    base: BaseReference,
    dataset: Artifact,
    frames: StoredFrames | None,
) -> Opponent:
    """The champion's answers and scores: those that the row store has cost nothing."""
    number, source = str(standing.opponent), str(standing.opponent_source)
    asked = ask_version(place, config, number, source, base, dataset, frames)
    return Opponent(standing=standing, scored=asked.scored, refusal=asked.refusal, made=asked.made)


def _provenance(
    place: Workplace, config: RunConfig, version: Artifact, candidate: ScoredModel, opponent: Opponent
) -> Provenance:
    other, rule = opponent.scored, _rule(config)
    standing = opponent.standing
    return Provenance(
        step="promotion",
        code=digest_source(["evaluation"]),
        settings={
            **rule.model_dump(mode="json"),
            "metric": _metric(config),
            "uri": config.registry.uri(place.state),
            "seed": config.seed,
        },
        inputs={
            "model": str(version.facts["model"]),
            "version": str(version.facts["version"]),
            "run": str(version.facts["run_id"]),
            "answers": candidate.answers.digest,
            "scores": candidate.evaluation.digest,
            "against": f"{standing.opponent or 'base'} {standing.opponent_source or ''}",
            "settled": f"{standing.settled or 'no'} {standing.is_champion and standing.settled is not None}",
            "refusal": opponent.refusal or "no",
            "other answers": "none" if other is None else other.answers.digest,
            "other scores": "none" if other is None else other.evaluation.digest,
        },
        parents=(version, candidate.evaluation, *opponent.made),
    )


@task(name="promotion", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def decide_promotion(
    place: Workplace, config: RunConfig, version: Artifact, candidate: ScoredModel, opponent: Opponent
) -> Artifact:
    """Decide, record the decision as tags of the version, and move the aliases."""

    def fill(draft: Draft) -> None:
        from videoguard.registry.aliases import Aliases

        decision = _decide(place, config, version, candidate, opponent)
        if opponent.standing.settled is None:
            Aliases(config.registry.uri(place.state), decision.model).carry_out(decision)
        write_decision(decision, draft.folder)
        draft.facts = {"version": decision.version, "outcome": decision.outcome}

    return place.make(_provenance(place, config, version, candidate, opponent), fill)


def _decide(
    place: Workplace, config: RunConfig, version: Artifact, candidate: ScoredModel, opponent: Opponent
) -> PromotionDecision:
    from videoguard.evaluation.comparing import ComparedModel
    from videoguard.evaluation.promoting import decide

    def compared(name: str, model: ScoredModel) -> ComparedModel:
        rows = [row for file in model.answers.files(place) for row in read_rows(file)]
        return ComparedModel(name, rows, read_evaluation(place.path(model.evaluation)))

    standing, rule = opponent.standing, _rule(config)
    model, number = str(version.facts["model"]), str(version.facts["version"])
    tested = compared(_CANDIDATE, candidate)
    metric = _metric(config) or next(iter(tested.evaluation.summary))
    untested = PromotionDecision(
        outcome="undecided", model=model, version=number, against=standing.opponent, reasons=[], metric=metric
    )
    if standing.settled is not None:
        outcome = "promoted" if standing.is_champion else "held back"
        return untested.model_copy(update={"outcome": outcome, "reasons": [standing.settled]})
    if opponent.scored is None:
        reason = f"the champion cannot be asked about these samples: {opponent.refusal}"
        return untested.model_copy(update={"reasons": [reason]})
    return decide(
        compared(_CHAMPION, opponent.scored),
        tested,
        model=model,
        version=number,
        against=standing.opponent,
        metric=metric,
        guards=rule.guards,
        minimum_gain=rule.minimum_gain,
        tolerated_fall=rule.tolerated_fall,
        alpha=rule.alpha,
        seed=config.seed,
    )


def _rule(config: RunConfig) -> PromotionSection:
    assert config.registry.promotion is not None
    return config.registry.promotion


def _metric(config: RunConfig) -> str | None:
    """The metric that has to rise; None where the recipe has only metrics of the user's own: then their first."""
    return _rule(config).metric or next(iter(config.evaluation.metrics), None)
