from videoguard.dataset.messages import conversation


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
