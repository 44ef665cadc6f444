"""Tonight against earlier nights: what fell, what drifted, and whether the night passes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from videoguard.config import NightlySection
from videoguard.evaluation.comparing import ComparedModel, compare_models
from videoguard.evaluation.comparison import PairedDifference
from videoguard.evaluation.scores import Evaluation, MetricFacts, MetricSummary, RowScores
from videoguard.evaluation.significance import holm
from videoguard.inference.rows import AnswerRow
from videoguard.nights.drift import drift_words, input_shifts, score_shifts
from videoguard.nights.night import EarlierComparison, InputShift, Night, NightSample, Outcome, ScoreShift

CHAMPION = "champion"
_BEFORE, _NOW = "before", "tonight"


@dataclass(frozen=True)
class Earlier:
    """A night to compare with, and its samples."""

    night: Night
    samples: Sequence[NightSample]


@dataclass(frozen=True)
class Judgement:
    """What the comparison with earlier nights came to."""

    outcome: Outcome
    reasons: list[str]
    comparisons: list[EarlierComparison]
    score_shifts: list[ScoreShift]
    input_shifts: list[InputShift]


def choose_earlier(nights: Sequence[Night], window: int) -> list[Night]:
    """The last good night and the oldest good one of the last `window` nights, of those since the last new standard.

    A night that fell short is no standard: else a regression would be told once and then be taken for normal.
    """
    since = max((place for place, night in enumerate(nights) if night.new_standard is not None), default=0)
    good = [night for night in nights[since:][-window:] if night.is_good]
    if not good:
        # All of the window fell short: the last good one before it is what still has to be reached.
        good = [night for night in nights[since:] if night.is_good][-1:]
    last, oldest = good[-1:], good[:1]
    # A night that found the same would only cost power: each test counts in the correction.
    return last if [night.digest for night in last] == [night.digest for night in oldest] else [*last, *oldest]


def judge(
    tonight: Sequence[NightSample],
    version: str | None,
    facts: Mapping[str, MetricFacts],
    watched: Sequence[str],
    earlier: Sequence[Earlier],
    rule: NightlySection,
    *,
    refusal: str | None = None,
    scored_by: str = "",
    seed: int = 0,
) -> Judgement:
    """Whether the champion is still as good as it was.

    A fall counts where the mean over the samples of both nights is lower by at least `rule.minimum_drop` and the paired
    test, corrected over all tests of the night, shows it; so does a fall of the new samples against the earlier ones, by
    a permutation test.

    Args:
        tonight: all samples, with their scores.
        version: of the champion.
        facts: what the metrics are.
        watched: metrics that may not fall.
        earlier: the nights to compare with, the last one first; none on the first night.
        rule: what counts.
        refusal: why the champion could not be asked.
        scored_by: digest of what scored tonight.
        seed: of the resampling.
    """
    if refusal is not None:
        return Judgement("undecided", [f"the champion cannot be asked about these samples: {refusal}"], [], [], [])
    signs = {name: {"higher": 1, "lower": -1, None: 0}[facts[name].better] for name in watched if name in facts}
    unscored = [name for name in watched if not any(_score(sample, name) is not None for sample in tonight)]
    if watched and len(unscored) == len(watched):
        return Judgement("undecided", [f"no sample is scored by {', '.join(unscored)}"], [], [], [])
    comparisons = [_compare(each, tonight, version, facts, watched, seed) for each in earlier]
    scores, inputs = _shifts(tonight, earlier, watched, rule, seed)
    comparisons, scores = _correct(comparisons, scores)
    falls = [
        f"{_figures(pair)} against the night {each.night}"
        for each in comparisons
        for pair in each.pairs
        if _has_fallen(signs.get(pair.metric, 0), pair.difference, pair.p_corrected, rule)
    ]
    falls += [
        f"{shift.metric} of new samples {shift.new_mean:.3f}, of earlier ones {shift.earlier_mean:.3f} "
        f"({shift.new} new videos, p {shift.p_corrected or 0.0:.3g})"
        for shift in scores
        if _has_fallen(signs.get(shift.metric, 0), shift.new_mean - shift.earlier_mean, shift.p_corrected, rule)
    ]
    falls += _lost(tonight, earlier, watched)
    drifted = [f"inputs drifted: {drift_words(shift)}" for shift in inputs if shift.drifted]
    notes = [
        f"the night {each.night.name} was scored by another version of the metrics or with other settings: part of a "
        "change may come from that"
        for each in earlier
        if each.night.scored_by != scored_by
    ]
    outcome: Outcome = "regressed" if falls else "drifted" if drifted and rule.drift.fails else "passed"
    first = [] if earlier else ["the first night: there is none to compare with"]
    held = [f"no metric has fallen ({', '.join(watched)})"] if earlier and not falls else []
    return Judgement(outcome, [*falls, *drifted, *held, *first, *notes], comparisons, scores, inputs)


def _compare(
    earlier: Earlier,
    tonight: Sequence[NightSample],
    version: str | None,
    facts: Mapping[str, MetricFacts],
    watched: Sequence[str],
    seed: int,
) -> EarlierComparison:
    before, now = ({sample.key: sample for sample in samples} for samples in (earlier.samples, tonight))
    shared = [key for key in now if key in before]
    champion = earlier.night.asked.get(CHAMPION)
    comparison = EarlierComparison(
        night=earlier.night.name,
        version=None if champion is None else champion.version,
        samples=len(shared),
        added=len(now) - len(shared),
        removed=len(before) - len(shared),
    )
    metrics = [name for name in watched if name in facts]
    if not shared or not metrics:
        return comparison
    models = [
        _model(name, [samples[key] for key in shared], metrics, facts) for name, samples in ((_BEFORE, before), (_NOW, now))
    ]
    return comparison.model_copy(update={"pairs": compare_models(models, seed=seed).pairs})


def _model(
    name: str, samples: Sequence[NightSample], metrics: Sequence[str], facts: Mapping[str, MetricFacts]
) -> ComparedModel:
    """Kept scores in the form that the comparison of models takes."""
    rows = [
        AnswerRow(id=each.key, video=None, group=each.group, label=each.label, question="", reference=each.key, status="ok")
        for each in samples
    ]
    scores = [RowScores(id=each.key, scores={metric: _score(each, metric) for metric in metrics}) for each in samples]
    summary = {metric: MetricSummary(n=0, unscored=0) for metric in metrics}
    return ComparedModel(name, rows, Evaluation(rows=scores, summary=summary, metrics=dict(facts)))


def _shifts(
    tonight: Sequence[NightSample], earlier: Sequence[Earlier], watched: Sequence[str], rule: NightlySection, seed: int
) -> tuple[list[ScoreShift], list[InputShift]]:
    """New samples are those that the oldest night of the window had not: one night's are often too few."""
    if not earlier:
        return [], []
    oldest = earlier[-1]
    known = {sample.key for sample in oldest.samples}
    new = [sample for sample in tonight if sample.key not in known]
    old = [sample for sample in tonight if sample.key in known]
    least, drift = rule.drift.least, rule.drift
    scores = score_shifts(old, new, CHAMPION, watched, least=least, seed=seed)
    inputs = input_shifts(
        oldest.samples,
        new,
        alpha=drift.alpha,
        distance=drift.distance,
        label_distance=drift.label_distance,
        least=least,
        seed=seed,
    )
    return scores, inputs


def _correct(
    comparisons: Sequence[EarlierComparison], scores: Sequence[ScoreShift]
) -> tuple[list[EarlierComparison], list[ScoreShift]]:
    """One correction over every test of the night that can make it fall short."""
    p_values = [pair.p_value for each in comparisons for pair in each.pairs] + [shift.p_value for shift in scores]
    corrected = iter(holm([value for value in p_values if value is not None]))
    told = iter([None if value is None else next(corrected) for value in p_values])
    compared = [
        each.model_copy(
            update={"pairs": [pair.model_copy(update={"p_corrected": next(told), "verdict": None}) for pair in each.pairs]}
        )
        for each in comparisons
    ]
    return compared, [shift.model_copy(update={"p_corrected": next(told)}) for shift in scores]


def _lost(tonight: Sequence[NightSample], earlier: Sequence[Earlier], watched: Sequence[str]) -> list[str]:
    """Samples that had a score and have none tonight: what failed is in no mean."""
    if not earlier:
        return []
    last = earlier[0]
    before = {sample.key: sample for sample in last.samples}
    told = []
    for metric in watched:
        lost = [
            sample.id
            for sample in tonight
            if sample.key in before and _score(sample, metric) is None and _score(before[sample.key], metric) is not None
        ]
        if lost:
            words = f"samples that the night {last.night.name} scored are unscored (first: {lost[0]})"
            told.append(f"{metric}: {len(lost)} {words}")
    return told


def _score(sample: NightSample, metric: str) -> float | None:
    return sample.scores.get(CHAMPION, {}).get(metric)


def _has_fallen(sign: int, difference: float | None, p_corrected: float | None, rule: NightlySection) -> bool:
    if difference is None or p_corrected is None:
        return False
    fall = -sign * difference
    return fall > 1e-12 and fall >= rule.minimum_drop - 1e-12 and p_corrected < rule.alpha


def _figures(pair: PairedDifference) -> str:
    test = "" if pair.p_corrected is None else f"; {pair.test}: p {pair.p_corrected:.3g}"
    means = f"{pair.first_mean or 0.0:.3f} to {pair.second_mean or 0.0:.3f}"
    changed = f"{pair.better} better, {pair.worse} worse of {pair.n}"
    return f"{pair.metric} {means} ({pair.difference or 0.0:+.3f}; {changed}{test})"
