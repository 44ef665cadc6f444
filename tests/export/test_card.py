"""The model card: the hub reads its metadata, and a reader finds scores, settings and preprocessing."""

import pytest
from huggingface_hub import ModelCard

from videoguard.export.card import write_card
from videoguard.models.preprocessing import read_record

SCORES = {
    "fine_tuned.exercise_accuracy": 0.96899,
    "base.exercise_accuracy": 0.178,
    "fine_tuned.meteor": 0.9,
    "train_loss": 1.0,
}
SETTINGS = {
    "training.epochs": "8",
    "seed": "0",
    "data.manifest": "/home/clinic/patients.json",
    "training.lora.targets": "a|b",
}


@pytest.fixture
def card(trained, tmp_path):
    def write(**changes):
        given = {
            "title": "owner/coach",
            "base": "owner/base",
            "record": read_record(trained.adapter),
            "scores": SCORES,
            "settings": SETTINGS,
            "merged": False,
        }
        write_card(tmp_path, **{**given, **changes})
        return ModelCard.load(tmp_path / "README.md")

    return write


def test_the_metadata_are_those_that_the_hub_reads(card):
    data = card().data
    assert (data.base_model, data.library_name, data.pipeline_tag) == ("owner/base", "peft", "video-text-to-text")
    assert {result.metric_type: result.metric_value for result in data.eval_results} == {
        "exercise_accuracy": 0.969,
        "meteor": 0.9,
    }
    assert card(merged=True).data.library_name == "transformers"
    assert card(has_vision=False).data.pipeline_tag == "text-generation"


def test_the_text_holds_scores_settings_and_preprocessing(card):
    text = card().text
    assert "| Exercise accuracy | 0.969 | 0.178 |" in text
    assert "| METEOR | 0.900 | — |" in text
    assert "| training.epochs | 8 |" in text
    assert "| training.lora.targets | a\\|b |" in text
    assert "| sampling | uniform |" in text
    assert 'base="owner/base"' in text


def test_no_name_of_private_data_gets_into_it(card):
    assert "clinic" not in card().content


def test_a_model_without_scores_says_so(card):
    made = card(scores={}, settings={})
    assert made.data.eval_results is None
    assert "was not scored" in made.text
