"""Prompts: one way from a row to what a model is asked."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.dataset.messages import Prompt, PromptTemplates, conversation, prompt_values
from videoguard.dataset.requirements import require_fields
from videoguard.errors import UserError
from videoguard.manifests.sample import Exchange, Sample


def test_a_question_about_a_video_and_its_answer():
    assert conversation("Which exercise?", "squat - good") == [
        {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "Which exercise?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "squat - good"}]},
    ]


def test_the_system_prompt_stands_first():
    messages = conversation("Which exercise?", system_prompt="You are a coach.")
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["content"] == [{"type": "text", "text": "You are a coach."}]


def test_an_empty_answer_is_an_answer():
    assert conversation("Which exercise?", "")[-1] == {"role": "assistant", "content": [{"type": "text", "text": ""}]}


def test_earlier_exchanges_stand_before_the_question_and_the_video_before_them():
    messages = conversation("And now?", "lower", "Be brief.", [Exchange("Which exercise?", "squat")])
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert messages[1]["content"] == [{"type": "video"}, {"type": "text", "text": "Which exercise?"}]
    assert messages[3]["content"] == [{"type": "text", "text": "And now?"}]


SAMPLE = Sample(
    "a", Path(), "How is the form?", "squat - lower", "a.mp4", system="Be kind.", fields={"subject": 7, "question": "other"}
)


@pytest.mark.parametrize(
    ("system", "question", "prompt"),
    [
        (None, None, Prompt("How is the form?", "Be kind.")),
        ("{system} Be brief.", "{question} Subject {subject}.", Prompt("How is the form? Subject 7.", "Be kind. Be brief.")),
        ("Coach.", "How is this {label}?", Prompt("How is this squat?", "Coach.")),
        ('Answer {"exercise": "{label}"}.', "{{label}} {}", Prompt("{label} {}", 'Answer {"exercise": "squat"}.')),
        ("", "{ label } {0}", Prompt("{ label } {0}", "")),
    ],
)
def test_templates_are_filled_with_the_values_of_the_row(system, question, prompt):
    templates = PromptTemplates(system, question)
    assert templates.lacking(prompt_values(SAMPLE)) == []
    assert templates.fill(prompt_values(SAMPLE)) == prompt


def test_values_that_rows_lack_are_named_with_their_number():
    others = [Sample(f"{number}", Path(), "q", "Quite good, I think.", f"{number}.mp4") for number in range(3)]
    require_fields([SAMPLE], "subject", PromptTemplates("{label}", "{subject}"))
    with pytest.raises(UserError) as refused:
        require_fields([SAMPLE, *others], "video", PromptTemplates("{label}", "{subjct} {question}"))
    assert str(refused.value) == (
        "dataset.system_prompt and dataset.question: no value for {subjct} in 4 of 4 samples, {label} in 3 of 4 samples; "
        "add the fields to the manifest, or write {{name}} where the braces are meant"
    )


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('{}ab1 _"')), st.text(st.sampled_from("{}ab")))
def test_a_template_is_filled_once_and_never_fails(template, value):
    templates = PromptTemplates(template, template)
    names = templates.lacking({})
    prompt = templates.fill(dict.fromkeys(names, value))
    assert prompt.question == prompt.system
    if "{" not in template:
        assert prompt.question == template
