"""Every family, with a tiny model of its real classes: saved and loaded, adapted, answering in batches."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.models.conversations import FAMILIES, IMAGE, READING, SEEING, VIDEO, pictures, say, shown
from videoguard.errors import UserError
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, GenerationSettings
from videoguard.models.families import family_of
from videoguard.models.loading import load_model
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import digest_processor

LISTED = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CLASSES = {
    "internvl": ("InternVLForConditionalGeneration", "InternVLProcessor"),
    "gemma3n": ("Gemma3nForConditionalGeneration", "Gemma3nProcessor"),
    "gemma4": ("Gemma4ForConditionalGeneration", "Gemma4Processor"),
    "qwen2_5_vl": ("Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLProcessor"),
    "qwen3_vl": ("Qwen3VLForConditionalGeneration", "Qwen3VLProcessor"),
    "smolvlm": ("SmolVLMForConditionalGeneration", "SmolVLMProcessor"),
    "llava_onevision": ("LlavaOnevisionForConditionalGeneration", "LlavaOnevisionProcessor"),
    "gpt2": ("GPT2LMHeadModel", None),
    "llama": ("LlamaForCausalLM", None),
    "qwen2": ("Qwen2ForCausalLM", None),
    "qwen3": ("Qwen3ForCausalLM", None),
}


def batch_of(tiny, side: str = "right") -> dict[str, torch.Tensor]:
    """Two samples of different lengths with their answers."""
    family = tiny.base.family.model_type
    samples = [("Which?", "squat", 2), ("Which exercise is this?", "push-up - lower the chest", 2)]
    examples = []
    for seed, (question, answer, frames) in enumerate(samples):
        messages = [say("user", question, *shown(family, VIDEO)), say("assistant", answer)]
        examples.append(tiny.preprocessor.example(messages, pictures(frames, seed) if family in SEEING else None))
    batch: dict[str, torch.Tensor] = tiny.preprocessor.collate(examples, side=side)
    return batch


def adapt(tiny, targets: list[str] | str) -> Any:
    """A fresh copy of the model with an adapter where the family allows it."""
    torch.manual_seed(0)
    outside = tiny.base.family.not_language if tiny.base.family.media != "text" else None
    config = LoraConfig(r=4, lora_alpha=8, target_modules=targets, exclude_modules=outside)
    return get_peft_model(load_model(tiny.base, "float32"), config).train()


def adapted_modules(model) -> set[str]:
    names = (name for name, parameter in model.named_parameters() if parameter.requires_grad)
    return {name.removeprefix("base_model.model.").partition(".lora_")[0] for name in names}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_classes_are_those_of_transformers_and_what_is_saved_is_what_is_loaded(loaded, family, tmp_path):
    tiny = loaded(family)
    model_class, processor_class = CLASSES[family]
    assert tiny.base.family.model_type == family
    assert type(tiny.model).__name__ == model_class
    if processor_class is not None:
        assert type(tiny.preprocessor.processor).__name__ == processor_class
    tiny.model.save_pretrained(tmp_path)
    again = type(tiny.model).from_pretrained(tmp_path).eval()
    batch = batch_of(tiny)
    with torch.inference_mode():
        assert torch.equal(again(**batch).logits, tiny.model(**batch).logits)
    assert digest_processor(tiny.preprocessor.processor) == digest_processor(tiny.preprocessor.processor)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("targets", [LISTED, "all-linear"], ids=["listed", "all-linear"])
def test_a_step_of_an_adapter_within_the_language_model_lowers_the_loss(loaded, family, targets):
    tiny = loaded(family)
    # GPT-2 has other names.
    model = adapt(tiny, "all-linear" if family == "gpt2" else targets)
    outside = re.compile(tiny.base.family.not_language)
    adapted = adapted_modules(model)
    assert adapted
    assert not [name for name in adapted if outside.fullmatch(name)]
    assert family == "gpt2" or {name.rpartition(".")[2] for name in adapted} >= set(LISTED)

    batch = batch_of(tiny)
    optimizer = torch.optim.SGD((part for part in model.parameters() if part.requires_grad), lr=0.1)
    losses = []
    for _ in range(2):
        # The same dropout, where a family has some.
        torch.manual_seed(0)
        loss = model(**batch).loss
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[1] < losses[0]


@pytest.mark.parametrize("family", SEEING)
def test_vision_projector_and_language_model_are_told_apart(loaded, family):
    tiny = loaded(family)
    declared = tiny.base.family
    linear = [name for name, module in tiny.model.named_modules() if isinstance(module, torch.nn.Linear)]
    parts = {
        part: [name for name in linear if re.fullmatch(pattern, name)]
        for part, pattern in (
            ("vision", declared.vision),
            ("projector", declared.projector),
            ("audio", declared.audio or r"(?!)"),
        )
    }
    assert parts["vision"]
    assert parts["projector"]
    assert not set(parts["vision"]) & set(parts["projector"])
    language = [name for name in linear if not re.fullmatch(declared.not_language, name)]
    assert all("language_model" in name or "text_model" in name for name in language if name != "lm_head")
    assert len(language) + sum(map(len, parts.values())) == len(linear)


@pytest.mark.parametrize("family", READING)
def test_a_model_of_text_has_no_parts_that_see(loaded, family):
    tiny = loaded(family)
    outside = re.compile(tiny.base.family.not_language)
    assert not [name for name, _ in tiny.model.named_modules() if outside.fullmatch(name)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_padded_on_the_left_answers_as_one_by_one(loaded, family):
    tiny = loaded(family)
    engine = Engine(tiny.model, tiny.preprocessor)
    asked: list[tuple[list[Any], Any]] = [
        ([say("user", "Which?", *shown(family, VIDEO))], pictures(4)),
        ([say("system", "Be brief."), say("user", "Which exercise is it?", *shown(family, VIDEO))], pictures(4, 1, 64, 40)),
        (
            [
                say("user", "Which?", *shown(family, VIDEO)),
                say("assistant", "squat"),
                say("user", "And this one?", *shown(family, IMAGE)),
            ],
            [pictures(4, 2), pictures(1, 3)],
        ),
        # Nothing is shown, also to a model that sees.
        ([say("user", "Are you there?")], None),
    ]
    prompts = [
        tiny.preprocessor.prompt(messages, frames if family in SEEING or frames is None else None)
        for messages, frames in asked
    ]
    together = engine.answer(prompts, GenerationSettings(8))
    alone = [engine.answer([prompt], GenerationSettings(8))[0] for prompt in prompts]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.new_tokens for answer in together] == [answer.new_tokens for answer in alone]
    assert [answer.mean_token_logprob for answer in together] == pytest.approx(
        [answer.mean_token_logprob for answer in alone], abs=1e-4
    )


def allowed(number: int, written: int, vocabulary: int, end: int) -> list[int]:
    """Tokens that may stand at a place of an answer: every answer has its own, and ends after one to eight tokens.

    Left to themselves, models with random weights repeat one token.
    """
    if written == number * 3 % 8:
        return [end]
    return [token for token in range(300, vocabulary) if token % 7 == (number + written) % 7]


class Allowing:
    """The same, for the engine."""

    def __init__(self, end: int) -> None:
        self._end = end

    def limit(self, rows: Sequence[int], generated: Sequence[Sequence[int]], scores: torch.Tensor) -> None:
        for row, number in enumerate(rows):
            tokens = allowed(number, len(generated[row]), scores.shape[1], self._end)
            limited = torch.full_like(scores[row], float("-inf"))
            limited[tokens] = scores[row, tokens]
            scores[row] = limited


def alone_by_transformers(tiny, prompt, number: int) -> tuple[list[int], float]:
    """Greedy tokens of one prompt, generated by transformers alone, and their mean log-probability."""
    batch = tiny.preprocessor.collate([prompt], side="left")
    length, vocabulary = batch["input_ids"].shape[1], tiny.model.config.get_text_config().vocab_size
    end = tiny.preprocessor.ends[-1]
    made = tiny.model.generate(
        **batch,
        max_new_tokens=8,
        do_sample=False,
        eos_token_id=end,
        prefix_allowed_tokens_fn=lambda row, tokens: allowed(number, len(tokens) - length, vocabulary, end),
        return_dict_in_generate=True,
        output_logits=True,
    )
    tokens = made.sequences[0, length:].tolist()
    logprobs = [float(torch.log_softmax(step[0], 0)[token]) for step, token in zip(made.logits, tokens, strict=True)]
    return tokens, sum(logprobs) / len(logprobs)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_depends_neither_on_the_batch_nor_on_the_order_nor_on_where_one_starts(loaded, family):
    tiny = loaded(family)
    prompts = []
    for number in range(9):
        asked = "Which exercise is this, and how is its form? " * (1 + number * 5 % 4)
        shows = family in SEEING and number != 4
        message = say("user", asked, *shown(family, VIDEO) if shows else ())
        prompts.append(tiny.preprocessor.prompt([message], pictures(4, number) if shows else None))
    alone = [alone_by_transformers(tiny, prompt, number) for number, prompt in enumerate(prompts)]
    assert {len(tokens) for tokens, _ in alone} == set(range(1, 9))

    settings = GenerationSettings(8, lambda: Allowing(tiny.preprocessor.ends[-1]))
    for batch_size, numbers in ((9, range(9)), (4, range(9)), (3, range(8, -1, -1)), (1, range(5, 9))):
        engine = Engine(tiny.model, tiny.preprocessor, batch_size)
        answers = dict(engine.answer_all(((number, prompts[number]) for number in numbers), settings))
        for number in numbers:
            tokens, logprob = alone[number]
            answer = answers[number]
            assert isinstance(answer, Answer)
            assert (list(answer.tokens), answer.ended) == (tokens, True)
            assert answer.mean_token_logprob == pytest.approx(logprob, abs=1e-4)


# GPT-2 counts positions from the first token of the row, padding or not; trainings pad on the right.
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "gpt2"])
def test_the_side_of_the_padding_does_not_change_the_loss(loaded, family):
    tiny = loaded(family)
    with torch.inference_mode():
        left, right = (float(tiny.model(**batch_of(tiny, side)).loss) for side in ("left", "right"))
    assert left == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize("family", SEEING)
def test_a_conversation_that_shows_nothing_is_trained_too(loaded, family):
    tiny = loaded(family)
    spoken = tiny.preprocessor.example([say("user", "Are you there?"), say("assistant", "Yes.")])
    seen = tiny.preprocessor.example([say("user", "Which?", VIDEO), say("assistant", "squat")], pictures(2))
    model = adapt(tiny, LISTED)
    for examples in ([spoken], [spoken, seen]):
        loss = model(**tiny.preprocessor.collate(examples, side="right")).loss
        assert torch.isfinite(loss)
        loss.backward()


@pytest.mark.parametrize("family", SEEING)
def test_what_is_shown_reaches_the_answer(loaded, family):
    tiny = loaded(family)
    logits = []
    for seed in (0, 1):
        prompt = tiny.preprocessor.prompt([say("user", "Which?", VIDEO)], pictures(2, seed))
        with torch.inference_mode():
            logits.append(tiny.model(**tiny.preprocessor.collate([prompt], side="left")).logits[0, -1])
    assert (logits[0] - logits[1]).abs().max() > 1e-4


@pytest.mark.parametrize("family", READING)
def test_a_video_is_refused_by_a_model_that_reads_text_only(loaded, family):
    with pytest.raises(UserError) as refused:
        loaded(family).preprocessor.prompt([say("user", "Which?", VIDEO)], pictures(2))
    assert str(refused.value) == (
        f"the conversation shows 1 videos or images, and a {family} model reads text only: "
        "take a vision-language model, or samples without media"
    )


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "smolvlm", "gemma4"])
def test_times_of_the_frames_reach_a_model_that_reads_them(loaded, family):
    preprocessor = loaded(family).preprocessor
    messages, frames = [say("user", "Which?", VIDEO)], pictures(4)
    quick, slow = (
        preprocessor.prompt(messages, TimedFrames(frames, np.array([0.0, 1.0, 2.0, 3.0]) * seconds))
        for seconds in (0.5, 20.0)
    )
    if family == "qwen2_5_vl":
        # Two frames are one step of time.
        assert (float(quick["second_per_grid_ts"]), float(slow["second_per_grid_ts"])) == (1.0, 40.0)
        return
    text = preprocessor.tokenizer.decode(slow["input_ids"], skip_special_tokens=False)
    said = {
        "qwen3_vl": ["<10.0 seconds>", "<50.0 seconds>"],
        "smolvlm": ["four frames from a 0:01:20", "Frame from 00:20:", "Frame from 01:00:"],
        "gemma4": ["00:00 <", "00:20 <", "01:00 <"],
    }[family]
    assert all(words in text for words in said)
    assert text != preprocessor.tokenizer.decode(quick["input_ids"], skip_special_tokens=False)


def test_a_video_is_its_frames_to_a_model_of_images(loaded):
    preprocessor = loaded("gemma3n").preprocessor
    frames = pictures(3)
    video = preprocessor.prompt([say("user", "Which?", VIDEO)], frames)
    images = preprocessor.prompt([say("user", "Which?", *[IMAGE] * 3)], [frames[:1], frames[1:2], frames[2:]])
    assert video.keys() == images.keys()
    assert all(torch.equal(video[name], images[name]) for name in video)
    assert video["pixel_values"].shape[0] == 3


def test_videos_of_other_numbers_of_frames_are_refused_where_the_model_cannot_take_them(loaded):
    preprocessor = loaded("llava_onevision").preprocessor
    prompts = [preprocessor.prompt([say("user", "Which?", VIDEO)], pictures(count)) for count in (3, 4)]
    with pytest.raises(UserError) as refused:
        preprocessor.collate(prompts, side="left")
    assert str(refused.value) == (
        "pixel_values_videos of (3, 3, 64, 64) and of (4, 3, 64, 64) cannot stand in one batch of a llava_onevision model: "
        "give every video the same number of frames of one size (frames.sampling=uniform), or take batches of 1"
    )


def test_every_family_that_is_declared_has_a_tiny_model():
    assert {family_of(family).model_type for family in FAMILIES} == set(CLASSES) == set(FAMILIES)
