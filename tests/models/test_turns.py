"""What is trained of a conversation: every answer with its end of turn and nothing else, in the words of each family.

The expected texts are written by hand; `«»` stand around trained tokens, and `×n` behind a token that stands n times.
"""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.conversations import FAMILIES, IMAGE, SEEING, VIDEO, pictures, say, shown
from videoguard.errors import UserError
from videoguard.models.chat import ChatTemplate
from videoguard.models.families import family_of
from videoguard.models.loading import load_processor
from videoguard.models.preprocessing import IGNORED

SMOL_IMAGE = "<fake_token_around_image><global-img><image><fake_token_around_image>"
GEMMA_IMAGE = "\n\n<start_of_image><image_soft_token>×4<end_of_image>\n\n"
# Frames of 64 × 48 pixels, as large as 70 tokens allow: 7 × 9.
GEMMA4_FRAME = "<start_of_image><|video|>×63<end_of_image>"
GEMMA4_ASKED = "<|turn>model\n<|channel>thought\n<channel|>"

TWO_TURNS = {
    "internvl": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nFrame1: <img><IMG_CONTEXT></img>\nFrame2: <img><IMG_CONTEXT></img>\nWhich?<|im_end|>\n"
        "<|im_start|>assistant\n«squat - go<|im_end|>»\n"
        "<|im_start|>user\n<img><IMG_CONTEXT></img>\nAnd?<|im_end|>\n<|im_start|>assistant\n«push-up<|im_end|>»"
    ),
    "gemma3n": (
        f"<bos><start_of_turn>user\nBe brief.\n\n{GEMMA_IMAGE}{GEMMA_IMAGE}Which?<end_of_turn>\n"
        "<start_of_turn>model\n«squat - go<end_of_turn>»\n"
        f"<start_of_turn>user\n{GEMMA_IMAGE}And?<end_of_turn>\n<start_of_turn>model\n«push-up<end_of_turn>»"
    ),
    "gemma4": (
        "<bos><|turn>system\nBe brief.<turn|>\n"
        f"<|turn>user\n\n\n00:00 {GEMMA4_FRAME} 00:01 {GEMMA4_FRAME}\n\nWhich?<turn|>\n"
        f"{GEMMA4_ASKED}«squat - go<turn|>»\n"
        "<|turn>user\n\n\n<start_of_image><image_soft_token>×63<end_of_image>\n\nAnd?<turn|>\n"
        f"{GEMMA4_ASKED}«push-up<turn|>»"
    ),
    "qwen2_5_vl": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|video_pad|>×4<|vision_end|>Which?<|im_end|>\n"
        "<|im_start|>assistant\n«squat - go<|im_end|>»\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|>×4<|vision_end|>And?<|im_end|>\n"
        "<|im_start|>assistant\n«push-up<|im_end|>»"
    ),
    "qwen3_vl": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><0.5 seconds><|vision_start|><|video_pad|>×4<|vision_end|>×2Which?<|im_end|>\n"
        "<|im_start|>assistant\n«squat - go<|im_end|>»\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|>×4<|vision_end|>And?<|im_end|>\n"
        "<|im_start|>assistant\n«push-up<|im_end|>»"
    ),
    "smolvlm": (
        "<|im_start|>System: Be brief.<end_of_utterance>\n"
        "User: You are provided the following series of two frames from a 0:00:02 [H:MM:SS] video.\n"
        f"\nFrame from 00:00:{SMOL_IMAGE}\nFrame from 00:01:{SMOL_IMAGE}\n\nWhich?<end_of_utterance>\n"
        "Assistant:« squat - go<end_of_utterance>»\n"
        f"User: {SMOL_IMAGE}And?<end_of_utterance>\nAssistant:« push-up<end_of_utterance>»"
    ).replace(f"User: {SMOL_IMAGE}", f"User:{SMOL_IMAGE}"),
    "llava_onevision": (
        "<|im_start|>system \nBe brief.<|im_end|>"
        # Four patches of each of two frames, and the end of the video.
        "<|im_start|>user <video>×9\nWhich?<|im_end|>"
        "<|im_start|>assistant\n«squat - go<|im_end|>»"
        # 16 patches of the whole image and 16 of its one tile, whose four rows have an end each.
        "<|im_start|>user <image>×36\nAnd?<|im_end|>"
        "<|im_start|>assistant\n«push-up<|im_end|>»"
    ),
    "gpt2": (
        "System:\nBe brief.\n\nUser:\nWhich?\n\nAssistant:\n«squat - go<|endoftext|>»\n\n"
        "User:\nAnd?\n\nAssistant:\n«push-up<|endoftext|>»"
    ),
    "llama": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWhich?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n«squat - go<|eot_id|>»"
        "<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n«push-up<|eot_id|>»"
    ),
    "qwen2": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhich?<|im_end|>\n"
        "<|im_start|>assistant\n«squat - go<|im_end|>»\n"
        "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n«push-up<|im_end|>»"
    ),
    "qwen3": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhich?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n«squat - go<|im_end|>»\n"
        "<|im_start|>user\nAnd?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n«push-up<|im_end|>»"
    ),
}


def written(preprocessor, example) -> str:
    """The decoded example in the notation of this module."""
    trained = (example["labels"] != IGNORED).tolist()
    bounds = [0, *(place for place in range(1, len(trained)) if trained[place] != trained[place - 1]), len(trained)]
    texts = []
    for start, end in pairwise(bounds):
        text = preprocessor.tokenizer.decode(example["input_ids"][start:end], clean_up_tokenization_spaces=False)
        texts.append(f"«{text}»" if trained[start] else text)
    specials = "|".join(map(re.escape, preprocessor.tokenizer.all_special_tokens))
    return re.sub(rf"({specials})\1+", lambda run: f"{run[1]}×{len(run[0]) // len(run[1])}", "".join(texts))


def media_for(family: str, *media: np.ndarray) -> list[np.ndarray] | None:
    return list(media) if family in SEEING else None


def two_turns(family: str) -> list[Any]:
    return [
        say("system", "Be brief."),
        say("user", "Which?", *shown(family, VIDEO)),
        say("assistant", "squat - go"),
        say("user", "And?", *shown(family, IMAGE)),
        say("assistant", "push-up"),
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_of_two_turns_with_media_in_each_both_answers_are_trained(loaded, family):
    preprocessor = loaded(family).preprocessor
    example = preprocessor.example(two_turns(family), media_for(family, pictures(2), pictures(1)))
    assert written(preprocessor, example) == TWO_TURNS[family]
    assert torch.equal(example["labels"][example["labels"] != IGNORED], example["input_ids"][example["labels"] != IGNORED])


@pytest.mark.parametrize("family", FAMILIES)
def test_of_one_turn_the_answer_is_trained(loaded, family):
    preprocessor = loaded(family).preprocessor
    example = preprocessor.example(two_turns(family)[:3], media_for(family, pictures(2)))
    first_turn, _, _ = TWO_TURNS[family].partition("»")
    assert written(preprocessor, example) == f"{first_turn}»"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_stands_before_an_answer_is_the_prompt_that_asks_for_it(loaded, family):
    preprocessor = loaded(family).preprocessor
    media = media_for(family, pictures(2), pictures(1))
    example = preprocessor.example(two_turns(family), media)
    # Media of later turns stand behind those of earlier ones, on the first axis.
    for asked, last in ((2, 1), (4, 2)):
        prompt = preprocessor.prompt(two_turns(family)[:asked], None if media is None else media[:last])
        length = len(prompt["input_ids"])
        assert example["labels"][length] != IGNORED
        assert example["labels"][length - 1] == IGNORED
        for name, tensor in prompt.items():
            start = example[name][: len(tensor)]
            # A video and an image may come in one tensor.
            assert torch.equal(start, tensor), name
        assert set(prompt) <= set(example) - {"labels"}


@pytest.mark.parametrize("family", SEEING)
def test_in_a_stream_the_decision_after_each_frame_is_trained(loaded, family):
    preprocessor = loaded(family).preprocessor
    decisions = ["<label><safe><continue></label>", "<label><unsafe:C3><continue></label>", "done"]
    messages = [say("user", "<streaming_analysis> Watch.", IMAGE), say("assistant", decisions[0])]
    for decision in decisions[1:]:
        messages += [{"role": "user", "content": [IMAGE]}, say("assistant", decision)]
    example = preprocessor.example(messages, [pictures(1, seed) for seed in range(3)])

    end = {"gemma3n": "<end_of_turn>", "gemma4": "<turn|>", "smolvlm": "<end_of_utterance>"}.get(family, "<|im_end|>")
    before = " " if family == "smolvlm" else ""
    trained = re.findall("«(.*?)»", written(preprocessor, example))
    assert trained == [f"{before}{decision}{end}" for decision in decisions]
    # What is asked for the second frame begins with all that was read and written for the first.
    prompt = preprocessor.prompt(messages[:3], [pictures(1, 0), pictures(1, 1)])
    assert torch.equal(prompt["input_ids"], example["input_ids"][: len(prompt["input_ids"])])


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_trained_as_it_stands(loaded, family):
    """Also where the template would strip it."""
    preprocessor = loaded(family).preprocessor
    before = " " if family == "smolvlm" else ""
    for answer in ("", "  two\nlines \n", "好 🏋️ naïve", '{"exercise": "push-up"}'):
        messages = [say("user", "Which?", *shown(family, VIDEO)), say("assistant", answer)]
        labels = preprocessor.example(messages, media_for(family, pictures(2)))["labels"]
        trained = preprocessor.tokenizer.decode(labels[labels != IGNORED], clean_up_tokenization_spaces=False)
        assert trained == f"{before}{answer}{preprocessor.chat.end_of_turn}"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_ends_where_generation_stops(loaded, family):
    preprocessor = loaded(family).preprocessor
    messages = [say("user", "Which?", *shown(family, VIDEO)), say("assistant", "squat")]
    labels = preprocessor.example(messages, media_for(family, pictures(2)))["labels"]
    assert int(labels[-1]) in preprocessor.ends
    assert preprocessor.tokenizer.eos_token_id in preprocessor.ends


@pytest.mark.parametrize("family", FAMILIES)
def test_text_is_counted_with_one_placeholder_for_each_medium(loaded, family):
    preprocessor = loaded(family).preprocessor
    silent = [say("user", "Which?"), say("assistant", "squat")]
    assert preprocessor.count_text(silent) == len(preprocessor.example(silent)["input_ids"])


def test_a_row_from_disk_reads_as_its_conversation(loaded):
    """Parts on disk have every field, `text` empty where a video is shown."""
    preprocessor = loaded("qwen2_5_vl").preprocessor
    row = [say("user", "Which?", {"type": "video", "text": None}), say("assistant", "squat")]
    bare = [say("user", "Which?", VIDEO), say("assistant", "squat")]
    one, other = (preprocessor.example(messages, pictures(2))["input_ids"] for messages in (row, bare))
    assert torch.equal(one, other)


def test_a_placeholder_in_a_text_is_refused(loaded):
    preprocessor = loaded("smolvlm").preprocessor
    for question, answer in (("What is <video>?", "a word"), ("What?", "say <image>")):
        with pytest.raises(UserError, match="out of the texts, or give the model another chat template"):
            preprocessor.example([say("user", question, VIDEO), say("assistant", answer)], pictures(2))


def test_frames_must_be_as_many_as_are_shown(loaded):
    preprocessor = loaded("internvl").preprocessor
    with pytest.raises(ValueError, match="shows 2 videos or images, and the frames of 1 are given"):
        preprocessor.prompt([say("user", "Which?", VIDEO, IMAGE)], pictures(2))
    with pytest.raises(ValueError, match="a prompt ends with a user message"):
        preprocessor.prompt([say("user", "Which?"), say("assistant", "squat")])


def with_template(loaded, family: str, template: str | None) -> ChatTemplate:
    processor = load_processor(loaded(family).base)
    processor.chat_template = template
    return ChatTemplate(processor, family_of(family))


def test_a_model_without_a_template_is_refused(loaded):
    with pytest.raises(UserError, match=r"llama model has no chat template: take one that was made to converse"):
        with_template(loaded, "llama", None)


@pytest.mark.parametrize(
    "template",
    [
        # No sign that the model is to answer.
        "{% for m in messages %}{{ m['role'] + ':' + m['content'] }}{% endfor %}{% if add_generation_prompt %}A:{% endif %}",
        # Another sign than the one before an answer.
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}[I]{% endif %}",
        # The answer does not come up.
        "{{ messages | length }}{% if add_generation_prompt %}go on{% endif %}",
    ],
)
def test_a_template_that_does_not_continue_its_own_prompt_is_refused(loaded, template):
    with pytest.raises(UserError, match="the chat template of the llama model does not continue its own generation prompt"):
        with_template(loaded, "llama", template)


def test_the_end_of_a_thought_before_the_answer_is_trained(loaded):
    """The generation prompt of a thinking model opens a thought; without one to train on, the model learns to close it."""
    template = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
        "{% if m['role'] == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
        "{{ m['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
    )
    chat = with_template(loaded, "qwen3", template)
    (turn,) = chat.turns([say("user", "Which?"), say("assistant", "squat")])
    assert turn.prompt == "<|im_start|>user\nWhich?<|im_end|>\n<|im_start|>assistant\n<think>\n"
    assert turn.answer == "\n</think>\n\nsquat<|im_end|>"


def test_where_the_template_ends_no_turn_the_text_ends(loaded):
    template = (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    chat = with_template(loaded, "llama", template)
    turns = chat.turns([say("user", "1"), say("assistant", "a"), say("user", "2"), say("assistant", "b")])
    assert [turn.prompt for turn in turns] == ["user: 1\nassistant: ", "\nuser: 2\nassistant: "]
    assert [turn.answer for turn in turns] == ["a<|end_of_text|>", "b<|end_of_text|>"]


def test_the_day_does_not_get_into_the_prompt_of_a_llama(loaded):
    template = (
        "{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}"
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    (turn,) = with_template(loaded, "llama", template).turns([say("user", "Which?")])
    assert turn.prompt == "26 Jul 2024<user>Which?<|eot_id|><assistant>"


def test_a_smolvlm_whose_template_leaves_videos_out_gets_one_that_shows_them(tiny_family, loaded):
    """The template that the model was saved with knows images alone."""
    from transformers import AutoProcessor

    saved = AutoProcessor.from_pretrained(tiny_family("smolvlm"))
    assert "video" not in saved.chat_template
    assert loaded("smolvlm").preprocessor.processor.chat_template == family_of("smolvlm").chat_template
    # Without videos they write the same.
    messages = [say("system", "Be brief."), say("user", "Which?", IMAGE), say("assistant", "squat"), say("user", "And?")]
    own, ours = (
        saved.apply_chat_template(messages, chat_template=template, add_generation_prompt=True)
        for template in (saved.chat_template, family_of("smolvlm").chat_template)
    )
    assert own == ours
    # And with videos, what the processor itself would take.
    messages[1]["content"][0] = VIDEO
    assert saved.apply_chat_template(messages, add_generation_prompt=True) == saved.apply_chat_template(
        messages, chat_template=family_of("smolvlm").chat_template, add_generation_prompt=True
    )


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in {"gemma4", "qwen3", "llava_onevision"}])
def test_turn_by_turn_gives_what_the_template_gives_at_once(loaded, family):
    """For templates that write a finished turn as they asked for it; the three others do not."""
    processor = loaded(family).preprocessor.processor
    messages = two_turns(family)
    turns = loaded(family).preprocessor.chat.turns(messages)
    composed = "".join(turn.prompt + (turn.answer or "") for turn in turns)
    if family in SEEING:
        whole = processor.apply_chat_template(messages, chat_template=processor.chat_template)
    else:
        plain = [{"role": m["role"], "content": m["content"][0]["text"]} for m in messages]
        whole = processor.apply_chat_template(plain, tokenize=False)
    assert whole.rstrip("\n") == composed
