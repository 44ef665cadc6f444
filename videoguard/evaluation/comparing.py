"""Comparing models on the samples that all of them were asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from videoguard.errors import UserError
from videoguard.evaluation.comparison import ChangedSample, Comparison, PairedDifference, Verdict
from videoguard.evaluation.scores import Evaluation, MetricFacts, RowScores
from videoguard.evaluation.significance import Resampled, holm, mcnemar_exact, paired_bootstrap
from videoguard.inference.rows import AnswerRow

MOST_CHANGED = 10
"""Samples that got worse, and as many that got better, of each metric and pair."""
_PLAIN = MetricFacts(name="", title="")


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """One model's answers and their scores."""

    name: str
    rows: Sequence[AnswerRow]
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class _Test:
    """One metric of two models: the scores of both, sample by sample, NaN where there is none."""

    metric: MetricFacts
    first: str
    second: str
    scores: npt.NDArray[np.float64]
    """Of shape (samples, 2)."""

    @property
    def differences(self) -> npt.NDArray[np.float64]:
        """Second score minus first; NaN where one of them is missing."""
        return self.scores[:, 1] - self.scores[:, 0]

    @property
    def gains(self) -> npt.NDArray[np.float64]:
        """Differences of the samples that both have scored, positive where the second model is better."""
        found = self.differences[~np.isnan(self.differences)]
        return -found if self.metric.better == "lower" else found


def compare_models(
    models: Sequence[ComparedModel], *, seed: int = 0, alpha: float = 0.05, partial: str | None = None
) -> Comparison:
    """Every pair of the models by every metric that both have, with one correction over all tests.

    Args:
        models: two or more, of different names; the first is the one to compare with.
        seed: of the bootstrap.
        alpha: below which a corrected p-value shows a difference.
        partial: why the figures are not for comparison, where the rows are not all.

    Raises:
        UserError: no sample was asked of all, or a sample has other wanted answers in another model's rows.
    """
    shared = _shared_rows(models)
    scores = {model.name: {row.id: row for row in model.evaluation.rows} for model in models}
    tests = [
        test
        for first, second in combinations(models, 2)
        for test in _tests(first, second, [row.id for row in shared], scores)
    ]
    groups = [row.group for row in shared]
    resampled = paired_bootstrap(np.stack([test.differences for test in tests], axis=1), groups, seed) if tests else []
    pairs = [_pair(test, found, groups) for test, found in zip(tests, resampled, strict=True)]
    tested = [place for place, pair in enumerate(pairs) if pair.p_value is not None]
    corrected = holm([pairs[place].p_value or 0.0 for place in tested])
    for place, p_corrected in zip(tested, corrected, strict=True):
        verdict = _verdict(tests[place], p_corrected, alpha)
        pairs[place] = pairs[place].model_copy(update={"p_corrected": p_corrected, "verdict": verdict})
    return Comparison(
        models=[model.name for model in models],
        samples=len(shared),
        left_out={model.name: len(model.rows) - len(shared) for model in models},
        pairs=pairs,
        changed=[sample for test in tests for sample in _changed(test, shared)],
        alpha=alpha,
        tests=len(tested),
        partial=partial or next((model.evaluation.partial for model in models if model.evaluation.partial), None),
    )


def _shared_rows(models: Sequence[ComparedModel]) -> list[AnswerRow]:
    """Rows of the first model whose samples every other one has."""
    others = [{row.id: row for row in model.rows} for model in models[1:]]
    shared = [row for row in models[0].rows if all(row.id in rows for rows in others)]
    if not shared and any(model.rows for model in models):
        names = ", ".join(model.name for model in models)
        raise UserError(f"{names} have no sample in common: only answers to the same samples can be compared")
    for row in shared:
        for model, rows in zip(models[1:], others, strict=True):
            if rows[row.id].reference != row.reference:
                raise UserError(
                    f"sample {row.id} of {models[0].name} wants {_short(row.reference)}, and of {model.name} "
                    f"{_short(rows[row.id].reference)}: only answers to the same samples can be compared"
                )
    return shared


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _tests(
    first: ComparedModel, second: ComparedModel, ids: Sequence[str], scores: Mapping[str, Mapping[str, RowScores]]
) -> list[_Test]:
    metrics = [metric for metric in first.evaluation.summary if metric in second.evaluation.summary]
    found = []
    for metric in metrics:
        columns = [[_number(scores[model.name].get(id_), metric) for id_ in ids] for model in (first, second)]
        facts = first.evaluation.metrics.get(metric, _PLAIN.model_copy(update={"name": metric}))
        found.append(_Test(facts, first.name, second.name, np.array(columns, dtype=np.float64).T.reshape(-1, 2)))
    return found


def _number(scores: RowScores | None, metric: str) -> float:
    score = None if scores is None else scores.scores.get(metric)
    return float("nan") if score is None else score


def _pair(test: _Test, resampled: Resampled, groups: Sequence[str]) -> PairedDifference:
    both = test.scores[~np.isnan(test.differences)]
    samples = len(test.scores)
    named = {"metric": test.metric.name, "first": test.first, "second": test.second}
    if not len(both):
        return PairedDifference(**named, n=0, unscored=samples)
    gains = test.gains
    better, worse = int(np.count_nonzero(gains > 0)), int(np.count_nonzero(gains < 0))
    kind, p_value = _p_value(test, resampled, groups, better, worse)
    return PairedDifference(
        **named,
        n=len(both),
        unscored=samples - len(both),
        first_mean=float(both[:, 0].mean()),
        second_mean=float(both[:, 1].mean()),
        difference=float((both[:, 1] - both[:, 0]).mean()),
        ci_low=resampled.ci_low,
        ci_high=resampled.ci_high,
        better=better,
        equal=len(both) - better - worse,
        worse=worse,
        test=kind,
        p_value=p_value,
    )


def _p_value(
    test: _Test, resampled: Resampled, groups: Sequence[str], better: int, worse: int
) -> tuple[Literal["McNemar, exact", "paired bootstrap"] | None, float | None]:
    """The test that fits, and what it gives; none of a metric of which neither way is better."""
    if test.metric.better is None:
        return None, None
    is_scored = ~np.isnan(test.differences)
    videos = {group for group, scored in zip(groups, is_scored, strict=True) if scored}
    # McNemar takes rows for independent, which those of one video are not.
    if test.metric.scale == "yes_no" and len(videos) == np.count_nonzero(is_scored):
        return "McNemar, exact", mcnemar_exact(better, worse)
    return (None, None) if resampled.p_value is None else ("paired bootstrap", resampled.p_value)


def _verdict(test: _Test, p_corrected: float, alpha: float) -> Verdict:
    if p_corrected >= alpha:
        return "no difference shown"
    return "better" if test.gains.mean() > 0 else "worse"


def _changed(test: _Test, rows: Sequence[AnswerRow]) -> list[ChangedSample]:
    sign = -1.0 if test.metric.better == "lower" else 1.0
    gains = {place: sign * change for place, change in enumerate(test.differences) if change == change and change != 0}
    order = sorted(gains, key=lambda place: (gains[place], place))
    worst = [place for place in order if gains[place] < 0][:MOST_CHANGED]
    best = [place for place in reversed(order) if gains[place] > 0][:MOST_CHANGED]
    return [
        ChangedSample(
            id=rows[place].id,
            metric=test.metric.name,
            first=test.first,
            second=test.second,
            first_score=float(test.scores[place, 0]),
            second_score=float(test.scores[place, 1]),
        )
        for place in [*worst, *best]
    ]
