from videoguard.config import Band
from videoguard.evaluation.scores import RowScores
from videoguard.report.figures import count_colours, scored_metrics, side_by_side, unscored_reasons, why_unscored


def test_samples_stand_side_by_side_by_id_not_by_position(make):
    base = make.base_model()
    shuffled = base.model_copy(update={"rows": [*reversed(base.rows), make.answer_row("e")]})
    lines = side_by_side([shuffled, make.tuned_model()])
    assert [line.known.id for line in lines] == ["a", "b", "c", "d", "e"]
    assert [line.rows[0] for line in lines[:2]] == base.rows[:2]
    assert lines[4].rows[1] is None
    assert lines[4].scores is None


def test_colours_count_scored_samples_only(make):
    counts = count_colours(make.tuned_model(), make.metrics["bert_similarity"], Band(green=0.7, yellow=0.4))
    assert dict(counts) == {"green": 1, "yellow": 1, "red": 1}


def test_reasons_are_counted_by_sample_and_metrics_of_one_reason_stand_together(make):
    reasons = unscored_reasons(make.tuned_model(), ["bert_similarity", "exercise_accuracy"])
    assert [(entry.metrics, entry.reason, entry.samples) for entry in reasons] == [
        (("bert_similarity", "exercise_accuracy"), "inference failed: the decoder gave up", 1),
        (("exercise_accuracy",), "no reference", 1),
    ]


def test_counted_reasons_add_up_to_the_unscored_of_the_summary(make):
    for model in (make.base_model(), make.tuned_model()):
        reasons = unscored_reasons(model, model.evaluation.summary)
        for metric, figures in model.evaluation.summary.items():
            assert sum(entry.samples for entry in reasons if metric in entry.metrics) == figures.unscored


def test_every_missing_score_has_a_reason(make):
    row, failed = make.answer_row("a"), make.answer_row("b", None)
    nan = RowScores(id="a", scores={"meteor": float("nan")})
    assert why_unscored(row, nan, "meteor") == "the score is not a finite number"
    assert why_unscored(failed, None, "meteor") == "the decoder gave up"
    assert why_unscored(None, None, "meteor") == "this model was not asked"
    assert why_unscored(row, None, "meteor") == "no reason recorded"


def test_a_metric_is_scored_where_one_model_has_a_mean(make):
    found = scored_metrics([make.base_model(), make.tuned_model()])
    assert [metric.name for metric in found] == ["bert_similarity", "exercise_accuracy"]
