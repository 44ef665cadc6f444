from datetime import datetime

import pytest
from pydantic import ValidationError

from videoguard.report.content import settings_text


def test_the_last_model_is_the_one_that_the_report_is_about(make):
    assert make.content().main.heading == "tuned, version 3"
    assert make.content().models[0].heading == "base"


def test_a_repeated_sample_is_refused(make):
    model = make.tuned_model()
    with pytest.raises(ValidationError, match="1 of 5 rows repeat an id"):
        type(model)(name="tuned", rows=[*model.rows, model.rows[0]], evaluation=model.evaluation)


def test_scores_of_no_row_are_refused(make):
    model = make.tuned_model()
    with pytest.raises(ValidationError, match="scores of 'a' and 0 more ids that no row has"):
        type(model)(name="tuned", rows=model.rows[1:], evaluation=model.evaluation)


def test_a_report_needs_a_model_and_a_time_zone(make):
    with pytest.raises(ValidationError, match="models"):
        make.content(models=[])
    with pytest.raises(ValidationError, match="timezone"):
        make.content(created=datetime(2026, 10, 17))  # noqa: DTZ001


def test_settings_are_flattened_in_their_order():
    settings = {"seed": 0, "training": {"lora": {"r": 16, "targets": ("q", "k")}, "epochs": 3.0}, "revision": None}
    assert list(settings_text(settings).items()) == [
        ("seed", "0"),
        ("training.lora.r", "16"),
        ("training.lora.targets", "q, k"),
        ("training.epochs", "3.0"),
        ("revision", "not set"),
    ]
