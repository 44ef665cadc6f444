"""Deciding whether a candidate takes the champion's place: a paired test on the same samples."""

from collections.abc import Sequence

from videoguard.evaluation.comparing import ComparedModel, compare_models
from videoguard.evaluation.comparison import PairedDifference
from videoguard.evaluation.promotion import Outcome, PromotionDecision
from videoguard.evaluation.scores import Evaluation


def decide(
    champion: ComparedModel,
    candidate: ComparedModel,
    *,
    model: str,
    version: str,
    against: str | None,
    metric: str,
    guards: Sequence[str] | None,
    minimum_gain: float = 0.0,
    tolerated_fall: float = 0.0,
    alpha: float = 0.05,
    seed: int = 0,
) -> PromotionDecision:
    """Whether the candidate is promoted: its metric has risen by enough and no guard has fallen.

    The gain is tested by one test, which needs no correction. Neither do the guards: a correction would make falls harder to
    see. A sample that the candidate leaves unscored and the champion does not counts against it, or a model could win by
    failing where it is weak.

    Args:
        champion: the model to beat: the champion, or the base model where there is none.
        candidate: the other one, asked about the same samples.
        model: registered model.
        version: the candidate's number.
        against: the champion's number; None for the base model.
        metric: has to rise.
        guards: may not fall; None for every other metric that both have scores of and of which one way is better.
        minimum_gain: least gain of the metric's mean.
        tolerated_fall: fall of a guard's mean that passes where the test does not show it.
        alpha: p-value below which a test shows a difference.
        seed: of the bootstrap.

    Raises:
        UserError: the two have no sample in common, or want other answers of one.
    """
    comparison = compare_models([champion, candidate], seed=seed, alpha=alpha)
    pairs = {pair.metric: pair for pair in comparison.pairs}
    evaluation = champion.evaluation
    watched = [name for name in (pairs if guards is None else guards) if name != metric]
    if guards is None:
        watched = [name for name in watched if _sign(evaluation, name) and _is_scored(evaluation, name)]
    gain = pairs.get(metric)
    undecided = [] if comparison.partial is None else [f"not all samples were answered ({comparison.partial})"]
    undecided += [_untestable(name, pairs.get(name)) for name in (metric, *watched) if not _can_test(pairs.get(name))]
    against_it: list[str] = []
    for name in (metric, *watched):
        against_it += _lost(name, champion.evaluation, candidate.evaluation)
    risen: list[str] = []
    if gain is not None and _can_test(gain):
        reason = _not_enough(gain, _sign(evaluation, metric), minimum_gain, alpha)
        (risen if reason is None else against_it).append(_figures(gain) + ("" if reason is None else f": {reason}"))
    for name in watched:
        guard = pairs.get(name)
        if guard is not None and _has_fallen(guard, _sign(evaluation, name), tolerated_fall, alpha):
            against_it.append(f"{_figures(guard)}: it may not fall")
    outcome: Outcome = "held back" if against_it else "undecided" if undecided else "promoted"
    held = f"no guard has fallen ({', '.join(watched)})" if watched else "no other metric is watched"
    return PromotionDecision(
        outcome=outcome,
        model=model,
        version=version,
        against=against,
        reasons=[*against_it, *undecided] or [*risen, held],
        metric=metric,
        tests=[pairs[name] for name in (metric, *watched) if name in pairs],
    )


def _sign(evaluation: Evaluation, metric: str) -> int:
    """1 where higher is better, -1 where lower is, 0 where neither is."""
    facts = evaluation.metrics.get(metric)
    better = "higher" if facts is None else facts.better
    return {"higher": 1, "lower": -1, None: 0}[better]


def _is_scored(evaluation: Evaluation, metric: str) -> bool:
    return evaluation.summary[metric].n > 0


def _can_test(pair: PairedDifference | None) -> bool:
    return pair is not None and pair.p_value is not None


def _untestable(metric: str, pair: PairedDifference | None) -> str:
    if pair is None:
        return f"{metric} was not evaluated of both"
    if not pair.n:
        return f"{metric} has no sample that both are scored on"
    return f"{metric} cannot be tested: neither way is better, or the {pair.n} samples are of one video"


def _lost(metric: str, champion: Evaluation, candidate: Evaluation) -> list[str]:
    scored = {row.id for row in champion.rows if row.scores.get(metric) is not None}
    lost = [row.id for row in candidate.rows if row.id in scored and row.scores.get(metric) is None]
    if not lost:
        return []
    return [f"{metric}: {len(lost)} of {len(scored)} samples that the other has a score of are unscored (first: {lost[0]})"]


def _not_enough(gain: PairedDifference, sign: int, minimum_gain: float, alpha: float) -> str | None:
    """Why the gain does not do; None where it does."""
    gained = sign * (gain.difference or 0.0)
    if gained <= 0.0:
        return "it has not risen" if sign > 0 else "it has not fallen, and lower is better"
    if gained < minimum_gain:
        return f"the gain is less than {minimum_gain:g}"
    if gain.p_value is None or gain.p_value >= alpha:
        return f"chance is not ruled out, p is not below {alpha:g}"
    return None


def _has_fallen(guard: PairedDifference, sign: int, tolerated_fall: float, alpha: float) -> bool:
    fall = -sign * (guard.difference or 0.0)
    is_shown = guard.p_value is not None and guard.p_value < alpha
    # Means that should be equal differ in their last bits.
    return fall > tolerated_fall + 1e-12 or (fall > 1e-12 and is_shown)


def _figures(pair: PairedDifference) -> str:
    test = "" if pair.test is None or pair.p_value is None else f", {pair.test}: p {_p_words(pair.p_value)}"
    means = f"{pair.first_mean or 0.0:.3f} to {pair.second_mean or 0.0:.3f}"
    changed = f"{pair.better} better, {pair.worse} worse of {pair.n}"
    return f"{pair.metric} {means} ({pair.difference or 0.0:+.3f}; {changed}{test})"


def _p_words(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
