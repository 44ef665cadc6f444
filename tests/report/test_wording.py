import pytest

from videoguard.config import Band
from videoguard.report.wording import (
    band_words,
    colour_of,
    figure_words,
    finite,
    interval_words,
    metrics_of,
    sample_words,
)


def test_metrics_come_in_the_order_of_the_evaluation_then_the_undescribed_by_name(make):
    model = make.tuned_model()
    summary = dict.fromkeys(("zeta", "rouge_l", "al_pha", "bert_similarity"), model.evaluation.summary["bert_similarity"])
    changed = model.model_copy(update={"evaluation": model.evaluation.model_copy(update={"summary": summary})})
    assert [(metric.name, metric.title) for metric in metrics_of([changed])] == [
        ("bert_similarity", "BERT similarity"),
        ("rouge_l", "ROUGE-L"),
        ("al_pha", "Al pha"),
        ("zeta", "Zeta"),
    ]


@pytest.mark.parametrize(
    ("metric", "of_a_sample"),
    [("rouge_l", "ROUGE-L"), ("exercise_accuracy", "Exercise right?"), ("json_validity", "JSON valid?"), ("judge", "Judge")],
)
def test_what_is_right_or_wrong_is_a_question(make, metric, of_a_sample):
    assert sample_words(make.metrics[metric]) == of_a_sample


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("meteor", 0.6123, "0.612"),
        ("exercise_accuracy", 0.9166, "91.7%"),
        ("judge", 3.456, "3.46"),
        ("meteor", None, "–"),
        ("meteor", float("nan"), "–"),
    ],
)
def test_figures_are_written_by_the_scale_of_their_metric(make, metric, value, words):
    assert figure_words(make.metrics[metric], value) == words


@pytest.mark.parametrize(
    ("metric", "low", "high", "words"),
    [
        ("meteor", 0.6123, 0.6837, "0.612 – 0.684"),
        ("exercise_accuracy", 0.917, 1.0, "91.7% – 100.0%"),
        ("meteor", None, None, "–"),
        ("meteor", 0.1, float("nan"), "–"),
    ],
)
def test_intervals(make, metric, low, high, words):
    assert interval_words(make.metrics[metric], low, high) == words


@pytest.mark.parametrize(
    ("value", "colour"),
    [(0.7, "green"), (0.6999999, "yellow"), (0.4, "yellow"), (0.3999999, "red"), (-0.1, "red"), (None, None)],
)
def test_a_threshold_belongs_to_the_better_colour(value, colour):
    assert colour_of(value, Band(green=0.7, yellow=0.4)) == colour


def test_without_a_band_there_is_no_colour():
    assert colour_of(0.9, None) is None


@pytest.mark.parametrize(("value", "colour"), [(0.1, "green"), (0.1001, "yellow"), (0.2, "yellow"), (0.21, "red")])
def test_where_lower_is_better_the_colours_turn_round(value, colour):
    assert colour_of(value, Band(green=0.1, yellow=0.2, lower_is_better=True)) == colour


def test_bands_are_written_in_the_unit_of_the_metric(make):
    assert band_words(make.metrics["meteor"], Band(green=0.5, yellow=0.2)) == "green ≥ 0.5, yellow ≥ 0.2"
    assert band_words(make.metrics["json_validity"], Band(green=0.98, yellow=0.9)) == "green ≥ 98%, yellow ≥ 90%"


@pytest.mark.parametrize(
    ("value", "kept"), [(0.0, 0.0), (-1.5, -1.5), (None, None), (float("nan"), None), (float("inf"), None)]
)
def test_only_finite_numbers_are_kept(value, kept):
    assert finite(value) == kept
