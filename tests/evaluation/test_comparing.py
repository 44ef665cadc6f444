from collections.abc import Mapping, Sequence

import pytest

from videoguard.errors import UserError
from videoguard.evaluation.comparing import MOST_CHANGED, ComparedModel, compare_models
from videoguard.evaluation.comparison import flatten_pairs, read_comparison, write_comparison
from videoguard.evaluation.scores import Evaluation, MetricFacts, RowScores
from videoguard.evaluation.statistics import summarise
from videoguard.inference.rows import AnswerRow

FACTS = {
    "right": MetricFacts(name="right", title="Right", scale="yes_no"),
    "likeness": MetricFacts(name="likeness", title="Likeness"),
    "redundancy": MetricFacts(name="redundancy", title="Redundancy", better="lower"),
    "words": MetricFacts(name="words", title="Words", scale="count", better=None),
}


def model(
    name: str, scores: Mapping[str, Sequence[float | None]], *, groups: list[str] | None = None, first: int = 0
) -> ComparedModel:
    number = len(next(iter(scores.values())))
    ids = [f"s{first + at}" for at in range(number)]
    groups = groups or ids
    rows = [
        AnswerRow(
            id=id_, video=None, group=group, label=None, question="", reference=f"wanted {id_}", status="ok", answer="a"
        )
        for id_, group in zip(ids, groups, strict=True)
    ]
    return ComparedModel(
        name,
        rows,
        Evaluation(
            rows=[RowScores(id=id_, scores={key: scores[key][at] for key in scores}) for at, id_ in enumerate(ids)],
            summary={key: summarise(values, groups) for key, values in scores.items()},
            metrics={key: FACTS[key] for key in scores},
        ),
    )


def test_a_pair_by_hand() -> None:
    first = model("old", {"right": [0.0] * 9 + [1.0, None]})
    second = model("new", {"right": [1.0] * 8 + [0.0, 0.0, 1.0]})
    found = compare_models([first, second])
    (pair,) = found.pairs
    assert (pair.n, pair.unscored, pair.better, pair.equal, pair.worse) == (10, 1, 8, 1, 1)
    assert (pair.first_mean, pair.second_mean) == (0.1, 0.8)
    assert pair.difference == pytest.approx(0.7)
    # Of nine changes at most one is worse by chance: 2 * (1 + 9) / 2^9.
    assert pair.test == "McNemar, exact"
    assert pair.p_value == pytest.approx(20 / 512)
    assert pair.p_corrected == pytest.approx(20 / 512)
    assert (found.tests, pair.verdict) == (1, "better")
    assert [sample.id for sample in found.changed][:2] == ["s9", "s7"]
    assert found.changed[0].change == -1.0
    assert len(found.changed) == 9


def test_samples_of_one_video_are_tested_by_the_bootstrap_and_by_video() -> None:
    groups = [f"video {at // 4}" for at in range(24)]
    first = model("old", {"right": [0.0] * 24}, groups=groups)
    second = model("new", {"right": [1.0] * 4 + [0.0] * 20}, groups=groups)
    (pair,) = compare_models([first, second]).pairs
    # Four samples are better and none is worse, but all four are one video.
    assert pair.test == "paired bootstrap"
    assert pair.p_value is not None
    assert pair.p_value > 0.2
    assert pair.verdict == "no difference shown"


def test_where_lower_is_better_a_lower_score_is_better() -> None:
    first = model("old", {"redundancy": [0.5] * 30})
    second = model("new", {"redundancy": [0.1] * 29 + [0.9]})
    found = compare_models([first, second])
    (pair,) = found.pairs
    assert (pair.better, pair.worse, pair.verdict) == (29, 1, "better")
    assert pair.difference is not None
    assert pair.difference < 0
    assert found.changed[0].id == "s29"


def test_a_metric_without_a_better_way_is_shown_and_not_tested() -> None:
    first, second = (model(name, {"words": [words] * 5}) for name, words in (("old", 3.0), ("new", 9.0)))
    found = compare_models([first, second])
    (pair,) = found.pairs
    assert (pair.difference, pair.p_value, pair.verdict, found.tests) == (6.0, None, None, 0)


def test_every_pair_and_metric_is_corrected_together() -> None:
    models = [
        model(name, {"right": [float(at < right) for at in range(60)], "likeness": [right / 60] * 60})
        for name, right in (("a", 10), ("b", 12), ("c", 40))
    ]
    found = compare_models(models)
    assert [(pair.first, pair.second, pair.metric) for pair in found.pairs] == [
        (first, second, metric) for first, second in (("a", "b"), ("a", "c"), ("b", "c")) for metric in ("right", "likeness")
    ]
    assert found.tests == 6
    small = found.pair("a", "b", "right")
    assert small is not None
    # Two samples more are right: 2 / 2^2, times one, as the largest of the six.
    assert (small.p_value, small.p_corrected, small.verdict) == (0.5, 0.5, "no difference shown")
    large = found.pair("a", "c", "right")
    assert large is not None
    assert large.verdict == "better"
    assert large.p_corrected is not None
    assert large.p_value is not None
    assert large.p_corrected > large.p_value


def test_only_samples_that_all_have_are_compared_and_the_others_counted() -> None:
    first, second = model("old", {"right": [1.0] * 6}), model("new", {"right": [1.0] * 6}, first=2)
    found = compare_models([first, second])
    assert (found.samples, found.left_out) == (4, {"old": 2, "new": 2})
    assert found.pairs[0].n == 4


def test_models_without_a_sample_in_common_are_refused() -> None:
    with pytest.raises(UserError, match="old, new have no sample in common"):
        compare_models([model("old", {"right": [1.0]}), model("new", {"right": [1.0]}, first=5)])


def test_other_wanted_answers_to_one_sample_are_refused() -> None:
    first, second = model("old", {"right": [1.0]}), model("new", {"right": [1.0]})
    changed = ComparedModel("new", [second.rows[0].model_copy(update={"reference": "else"})], second.evaluation)
    with pytest.raises(UserError, match="sample s0 of old wants 'wanted s0', and of new 'else'"):
        compare_models([first, changed])


def test_no_rows_and_only_failed_rows_have_no_figures() -> None:
    empty = compare_models([model("old", {"right": []}), model("new", {"right": []})])
    assert (empty.samples, empty.tests, empty.pairs[0].n) == (0, 0, 0)
    failed = compare_models([model("old", {"right": [None] * 3}), model("new", {"right": [1.0] * 3})])
    assert (failed.pairs[0].n, failed.pairs[0].unscored, failed.pairs[0].difference) == (0, 3, None)


def test_the_most_changed_are_the_worst_and_the_best(tmp_path) -> None:
    first = model("old", {"likeness": [0.5] * 40})
    second = model("new", {"likeness": [at / 40 for at in range(40)]})
    found = compare_models([first, second])
    ids = [sample.id for sample in found.changed]
    assert ids == [f"s{at}" for at in range(MOST_CHANGED)] + [f"s{39 - at}" for at in range(MOST_CHANGED)]
    write_comparison(found, tmp_path)
    assert read_comparison(tmp_path) == found
    renamed = found.renamed({"old": "Base", "new": "Tuned"})
    assert (renamed.models, renamed.pairs[0].second, renamed.changed[0].first) == (["Base", "Tuned"], "Tuned", "Base")


def test_figures_for_a_tracker_leave_out_what_there_is_not() -> None:
    found = compare_models([model("old", {"right": [0.0, None]}), model("new", {"right": [1.0, 1.0]})])
    flat = flatten_pairs(found)
    assert flat["comparison.right.difference"] == 1.0
    assert flat["comparison.right.better"] == 1.0
    failed = compare_models([model("old", {"right": [None]}), model("new", {"right": [1.0]})])
    assert flatten_pairs(failed) == {f"comparison.right.{name}": 0.0 for name in ("better", "equal", "worse")}
