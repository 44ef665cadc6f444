import pytest

from videoguard.config import Band
from videoguard.report.wording import (
    band_words,
    colour_of,
    finite,
    interval_words,
    is_share,
    metric_words,
    metrics_of,
    sample_words,
)


def test_known_metrics_come_in_their_usual_order_then_others_by_name(make):
    model = make.tuned_model()
    summary = dict.fromkeys(("zeta", "rouge_l", "alpha", "bert_similarity"), model.evaluation.summary["bert_similarity"])
    changed = model.model_copy(update={"evaluation": model.evaluation.model_copy(update={"summary": summary})})
    assert metrics_of([changed]) == ["bert_similarity", "rouge_l", "alpha", "zeta"]


@pytest.mark.parametrize(
    ("metric", "words", "of_a_sample", "share"),
    [
        ("bert_similarity", "BERT similarity", "BERT similarity", False),
        ("rouge_l", "ROUGE-L", "ROUGE-L", False),
        ("exercise_accuracy", "Exercise identification", "Exercise right?", True),
        ("json_validity", "JSON validity", "JSON valid?", True),
        ("judge_score", "Judge score", "Judge score", False),
    ],
)
def test_metrics_are_named_for_a_reader(metric, words, of_a_sample, share):
    assert (metric_words(metric), sample_words(metric), is_share(metric)) == (words, of_a_sample, share)


@pytest.mark.parametrize(
    ("metric", "low", "high", "words"),
    [
        ("meteor", 0.6123, 0.6837, "0.612 – 0.684"),
        ("exercise_accuracy", 0.917, 1.0, "91.7% – 100.0%"),
        ("meteor", None, None, "–"),
        ("meteor", 0.1, float("nan"), "–"),
    ],
)
def test_intervals(metric, low, high, words):
    assert interval_words(metric, low, high) == words


@pytest.mark.parametrize(
    ("value", "colour"),
    [(0.7, "green"), (0.6999999, "yellow"), (0.4, "yellow"), (0.3999999, "red"), (-0.1, "red"), (None, None)],
)
def test_a_threshold_belongs_to_the_better_colour(value, colour):
    assert colour_of(value, Band(green=0.7, yellow=0.4)) == colour


def test_without_a_band_there_is_no_colour():
    assert colour_of(0.9, None) is None


def test_bands_are_written_in_the_unit_of_the_metric():
    assert band_words("meteor", Band(green=0.5, yellow=0.2)) == "green ≥ 0.5, yellow ≥ 0.2"
    assert band_words("json_validity", Band(green=0.98, yellow=0.9)) == "green ≥ 98%, yellow ≥ 90%"


@pytest.mark.parametrize(
    ("value", "kept"), [(0.0, 0.0), (-1.5, -1.5), (None, None), (float("nan"), None), (float("inf"), None)]
)
def test_only_finite_numbers_are_kept(value, kept):
    assert finite(value) == kept
