"""From conversations to tensors: what is trained, what is padded, and what an adapter insists on."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.config import FramesSection
from videoguard.dataset.messages import conversation
from videoguard.errors import UserError
from videoguard.frames.rule import FrameRule
from videoguard.models.preprocessing import (
    IGNORED,
    RECORD,
    PreprocessingRecord,
    digest_processor,
    make_record,
    read_record,
)


def frames(count: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 64, 3), dtype=np.uint8)


@pytest.fixture
def record(base, preprocessor) -> PreprocessingRecord:
    rule = FramesSection(count=4, max_side=64, codec="png", jpeg_quality=80)
    digest = digest_processor(preprocessor.processor)
    return make_record(base, digest, rule, base_name="tiny", system_prompt="Be brief.", question=None)


@pytest.mark.parametrize(
    "answer",
    [
        "squat - good depth and a straight back",
        "",
        " spaces around ",
        "two\nlines\n",
        "好 🏋️ naïve",
        '{"exercise": "push-up"}',
        "it says <b>user</b> and Frame1: <video",
    ],
)
@pytest.mark.parametrize("system_prompt", [None, "You are a coach."])
def test_exactly_the_answer_and_the_end_of_turn_are_trained(preprocessor, answer, system_prompt):
    messages = conversation("Which exercise?", answer, system_prompt)
    example = preprocessor.example(messages, frames())

    ids, labels = example["input_ids"], example["labels"]
    trained = labels != IGNORED
    assert torch.equal(ids[trained], labels[trained])
    assert labels[trained][-1] == preprocessor.tokenizer.eos_token_id
    decoded = preprocessor.tokenizer.decode(
        labels[trained][:-1], skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    assert decoded == answer
    # The trained part is the end, and what stands before it is the prompt that inference gets.
    start = len(ids) - int(trained.sum())
    assert not trained[:start].any()
    prompt = preprocessor.prompt(messages[:-1], frames())
    assert torch.equal(prompt["input_ids"], ids[:start])
    assert torch.equal(prompt["pixel_values"], example["pixel_values"])
    assert set(prompt) == set(example) - {"labels"}


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(lambda text: "<" not in text))
def test_any_answer_is_trained_whole(preprocessor, answer):
    labels = preprocessor.example(conversation("Which?", answer), frames())["labels"]
    tokens = labels[labels != IGNORED]
    assert tokens[-1] == preprocessor.tokenizer.eos_token_id
    assert preprocessor.tokenizer.decode(tokens[:-1], clean_up_tokenization_spaces=False) == answer


def test_the_prompt_holds_system_prompt_frames_and_question_in_order(preprocessor):
    prompt = preprocessor.prompt(conversation("Which exercise?", None, "You are a coach."), frames(3))
    text = preprocessor.tokenizer.decode(prompt["input_ids"], skip_special_tokens=False)
    assert text == (
        "<|im_start|>system\nYou are a coach.<|im_end|>\n<|im_start|>user\n"
        "Frame1: <img><IMG_CONTEXT></img>\nFrame2: <img><IMG_CONTEXT></img>\nFrame3: <img><IMG_CONTEXT></img>\n"
        "Which exercise?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_batch_is_padded_on_the_asked_side(preprocessor):
    short = preprocessor.example(conversation("Which?", "squat"), frames(1, seed=1))
    long = preprocessor.example(conversation("Which exercise is this one?", "jumping jack - good"), frames(3, seed=2))
    missing = len(long["input_ids"]) - len(short["input_ids"])
    assert missing > 0
    pad = preprocessor.tokenizer.pad_token_id

    right = preprocessor.collate([short, long], side="right")
    assert right["input_ids"].shape == right["labels"].shape == right["attention_mask"].shape == (2, len(long["input_ids"]))
    assert right["input_ids"][0].tolist() == short["input_ids"].tolist() + [pad] * missing
    assert right["labels"][0].tolist() == short["labels"].tolist() + [IGNORED] * missing
    assert right["attention_mask"].sum(dim=1).tolist() == [len(short["input_ids"]), len(long["input_ids"])]
    assert right["attention_mask"][0, -1] == 0
    assert torch.equal(right["pixel_values"], torch.cat([short["pixel_values"], long["pixel_values"]]))

    left = preprocessor.collate([short, long], side="left")
    assert left["input_ids"][0].tolist() == [pad] * missing + short["input_ids"].tolist()
    assert left["labels"][0].tolist() == [IGNORED] * missing + short["labels"].tolist()
    assert left["attention_mask"][0].tolist() == [0] * missing + [1] * len(short["input_ids"])


def test_the_side_of_the_padding_does_not_change_the_loss(model, preprocessor):
    examples = [
        preprocessor.example(conversation("Which?", "squat - good"), frames(2, seed=1)),
        preprocessor.example(conversation("Which exercise is it?", "lunge"), frames(4, seed=2)),
    ]
    with torch.inference_mode():
        left, right = (model(**preprocessor.collate(examples, side=side)).loss for side in ("left", "right"))
    assert left == pytest.approx(float(right), rel=1e-5)


def test_a_template_that_does_not_continue_its_own_prompt_is_refused(base):
    from videoguard.models.loading import load_processor
    from videoguard.models.preprocessing import Preprocessor

    processor = load_processor(base)
    processor.chat_template = "{{ messages | length }}{% if add_generation_prompt %}go on{% endif %}"
    with pytest.raises(UserError, match="internvl model does not continue its own generation prompt"):
        Preprocessor(processor, base.family)


def test_the_record_holds_all_that_decides_what_the_model_sees(record, base):
    assert record.model_dump(exclude={"processor_digest"}) == {
        "schema_version": 1,
        "family": "internvl",
        "base": "tiny",
        "base_digest": base.digest,
        "sampling": "uniform",
        "frames": 4,
        "fps": None,
        "stride": None,
        "resize": "fit",
        "max_side": 64,
        "max_pixels": None,
        "width": None,
        "height": None,
        "codec": "png",
        "jpeg_quality": 80,
        "system_prompt": "Be brief.",
        "question": None,
        "text_only": False,
    }


def test_a_record_is_read_as_it_was_saved(record, tmp_path):
    record.save(tmp_path)
    assert read_record(tmp_path) == record
    record.require_same(read_record(tmp_path), tmp_path)


def test_the_rule_of_a_record_is_that_of_the_recipe(base, record):
    rule = FramesSection(sampling="fps", fps=2.0, count=16, resize="cover", width=64, height=48, codec="png")
    other = make_record(base, "digest", rule, base_name="tiny", system_prompt=None, question=None)
    assert other.frame_rule() == FrameRule(16, 640, "png", 95, sampling="fps", fps=2.0, resize="cover", width=64, height=48)


def test_a_record_of_before_there_were_other_rules_is_read(record, tmp_path):
    record.save(tmp_path)
    written = json.loads((tmp_path / RECORD).read_text())
    for name in ("fps", "stride", "resize", "max_pixels", "width", "height"):
        del written[name]
    (tmp_path / RECORD).write_text(json.dumps(written))
    assert read_record(tmp_path) == record


def test_another_name_of_the_same_base_is_the_same(record, tmp_path):
    record.require_same(record.model_copy(update={"base": "/elsewhere"}), tmp_path)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("family", "gemma"),
        ("base_digest", "0" * 64),
        ("processor_digest", "0" * 64),
        ("sampling", "first_to_last"),
        ("frames", 8),
        ("fps", 1.0),
        ("stride", 15),
        ("resize", "cover"),
        ("max_side", 640),
        ("max_pixels", 200_704),
        ("width", 448),
        ("height", 448),
        ("codec", "jpeg"),
        ("jpeg_quality", 95),
        ("system_prompt", None),
        ("question", "Which exercise?"),
    ],
)
def test_a_difference_is_refused_with_both_values(record, field, other, tmp_path):
    with pytest.raises(UserError) as refused:
        record.require_same(record.model_copy(update={field: other}), tmp_path)
    assert str(refused.value) == (
        f"adapter {tmp_path} was trained with another preprocessing: "
        f"{field}: trained with {getattr(record, field)!r}, asked for {other!r}"
    )


def test_every_difference_is_told(record, tmp_path):
    with pytest.raises(UserError) as refused:
        record.require_same(record.model_copy(update={"frames": 8, "max_side": 640}), tmp_path)
    assert str(refused.value).splitlines() == [
        f"adapter {tmp_path} was trained with another preprocessing: 2 problems",
        "  - frames: trained with 4, asked for 8",
        "  - max_side: trained with 64, asked for 640",
    ]


def test_an_adapter_without_a_record_is_refused(tmp_path):
    with pytest.raises(UserError, match=f"adapter {tmp_path} has no {RECORD}: it was not trained by Video-Guard"):
        read_record(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 2}', "not JSON"])
def test_a_damaged_record_is_refused(text, tmp_path):
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(UserError, match=f"adapter {tmp_path}: {RECORD} cannot be read"):
        read_record(tmp_path)


def test_the_digest_of_a_processor_changes_with_what_it_does(base, preprocessor):
    from videoguard.models.loading import load_processor

    before = digest_processor(preprocessor.processor)
    other = load_processor(base)
    assert digest_processor(other) == before
    other.video_processor.image_mean = [0.5, 0.5, 0.5]
    changed = digest_processor(other)
    other.chat_template = "{{ messages }}"
    assert len({before, changed, digest_processor(other)}) == 3
