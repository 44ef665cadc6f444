"""What vLLM is asked and how its replies are read, by the names that its documentation gives; it does not run on a CPU."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from videoguard import preflight
from videoguard.config import InferenceSection
from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.dataset.building import read_split
from videoguard.errors import UserError
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, GenerationSettings, Unanswered
from videoguard.inference.infer import question_of
from videoguard.inference.structured.answers import JsonAnswers, free_settings
from videoguard.inference.vllm_engine import VllmEngine, model_arguments, outcome_of, request_of, sampling_arguments
from videoguard.models.base import find_base
from videoguard.models.media import TimedFrames
from videoguard.preflight import check_inputs
from videoguard.recipes import load_recipe

FREE = GenerationSettings(max_new_tokens=12)


@pytest.fixture
def asked(small_set):
    """The first test questions, each with what it shows."""
    questions = [question_of(row) for row in read_split(small_set.dataset, "test")][:5]
    frames = small_set.store
    return [
        (question.messages, TimedFrames(frames.frames(question.video), frames.timestamps(question.video)))
        for question in questions
    ]


def said(tokens, reason="stop", logprobs=None):
    """A `RequestOutput` with one `CompletionOutput`."""
    each = [-0.5] * len(tokens) if logprobs is None else logprobs
    entries = [{token: SimpleNamespace(logprob=logprob)} for token, logprob in zip(tokens, each, strict=True)]
    return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tuple(tokens), logprobs=entries, finish_reason=reason)])


class LocalModel:
    """In place of `vllm.LLM`: the tiny model of transformers, which gets from a request all that it needs."""

    def __init__(self, engine, **arguments):
        self.engine, self.arguments, self.calls = engine, arguments, []

    def get_default_sampling_params(self):
        return SimpleNamespace(repetition_penalty=1.0)

    def generate(self, prompts, sampling_params, *, use_tqdm, lora_request):
        self.calls.append((len(prompts), sampling_params, lora_request))
        if any(len(prompt["prompt_token_ids"]) > 1000 for prompt in prompts):
            raise ValueError("The decoder prompt (length 1001) is longer than\nthe maximum model length of 512.")
        answers = self.engine.answer(
            [self._read(prompt) for prompt in prompts], GenerationSettings(sampling_params.max_tokens)
        )
        return [
            said(answer.tokens, "stop" if answer.ended else "length", [answer.mean_token_logprob] * len(answer.tokens))
            for answer in answers
        ]

    def _read(self, prompt):
        preprocessor = self.engine.preprocessor
        clips, told = zip(*prompt["multi_modal_data"]["video"], strict=True)
        features = preprocessor.processor(
            text=[preprocessor.tokenizer.decode(prompt["prompt_token_ids"])],
            videos=[torch.from_numpy(clip).permute(0, 3, 1, 2) for clip in clips],
            video_metadata=[{name: each[name] for name in each if name != "do_sample_frames"} for each in told],
            add_special_tokens=False,
            return_tensors="pt",
            **self.arguments["mm_processor_kwargs"],
        )
        return {"input_ids": features["input_ids"][0], "pixel_values": features["pixel_values"]}


@pytest.fixture
def vllm(monkeypatch, engine: Engine):
    """The names of vLLM that are used."""
    module, lora, sampling = ModuleType("vllm"), ModuleType("vllm.lora.request"), ModuleType("vllm.sampling_params")
    module.LLM = lambda **arguments: LocalModel(engine, **arguments)  # type: ignore[attr-defined]
    module.SamplingParams = SimpleNamespace  # type: ignore[attr-defined]
    lora.LoRARequest = lambda name, number, path: SimpleNamespace(  # type: ignore[attr-defined]
        lora_name=name, lora_int_id=number, lora_path=path
    )
    sampling.StructuredOutputsParams = SimpleNamespace  # type: ignore[attr-defined]
    for name, each in (("vllm", module), ("vllm.lora.request", lora), ("vllm.sampling_params", sampling)):
        monkeypatch.setitem(sys.modules, name, each)


def test_a_request_holds_all_that_the_same_answer_needs(vllm, engine, preprocessor, tiny_base, trained, asked):
    other = VllmEngine(find_base(str(tiny_base)), preprocessor, "float32", trained.adapter, batch_size=1)
    prompts = [other.reader(messages, shown) for messages, shown in asked]
    found = dict(other.answer_all(enumerate(prompts), FREE))
    wanted = engine.answer([engine.reader(messages, shown) for messages, shown in asked], FREE)
    for number, answer in enumerate(wanted):
        outcome = found[number]
        assert isinstance(outcome, Answer)
        assert (outcome.text, outcome.tokens, outcome.ended) == (answer.text, answer.tokens, answer.ended)
        assert outcome.mean_token_logprob == pytest.approx(answer.mean_token_logprob, abs=1e-6)
    (first, sampling, lora), *_ = other._model.calls
    # A few batches a call, so that the last answers of one do not keep the GPU idle.
    assert first == 4
    assert (sampling.temperature, sampling.max_tokens) == (0.0, 12)
    assert set(preprocessor.ends) <= set(sampling.stop_token_ids)
    assert lora.lora_path == str(trained.adapter)


def test_a_prompt_that_is_refused_does_not_take_the_others_with_it(vllm, preprocessor, tiny_base, asked):
    engine = VllmEngine(find_base(str(tiny_base)), preprocessor, "float32")
    prompts = [engine.reader(messages, shown) for messages, shown in asked]
    prompts[1]["input_ids"] = torch.ones(1001, dtype=torch.long)
    found = dict(engine.answer_all(enumerate(prompts), FREE))
    assert list(found) == [0, 1, 2, 3, 4]
    assert found[1] == Unanswered("The decoder prompt (length 1001) is longer than the maximum model length of 512.")
    assert all(isinstance(found[number], Answer) for number in (0, 2, 3, 4))


def test_answers_are_held_to_a_schema_by_vllm(vllm, preprocessor, tiny_base, asked):
    schema = {"type": "object"}
    engine = VllmEngine(find_base(str(tiny_base)), preprocessor, "float32", schema=schema)
    list(engine.answer_all([(0, engine.reader(*asked[0]))], FREE))
    assert engine._model.calls[0][1].structured_outputs.json == schema
    assert engine._model.arguments["structured_outputs_config"]["backend"] == "guidance"


def test_media_stand_in_the_order_of_their_placeholders(preprocessor):
    clips = [np.full((frames, 4, 4, 3), frames, np.uint8) for frames in (2, 3)]
    content = [{"type": "video"}, {"type": "text", "text": "or"}, {"type": "video"}]
    prompt = preprocessor.unread([{"role": "user", "content": content}], clips)
    request = request_of(prompt)
    videos = request["multi_modal_data"]["video"]
    assert [clip.shape for clip, _ in videos] == [(2, 4, 4, 3), (3, 4, 4, 3)]
    assert videos[0][1]["frames_indices"] == [0, 1000]
    assert videos[0][1]["do_sample_frames"] is False
    token = preprocessor.tokenizer.convert_tokens_to_ids(preprocessor.processor.video_token)
    assert request["prompt_token_ids"].count(token) == 2


def test_a_prompt_without_media_is_its_tokens_alone(preprocessor):
    prompt = preprocessor.unread([{"role": "user", "content": [{"type": "text", "text": "squat"}]}])
    assert request_of(prompt) == {"prompt_token_ids": prompt["input_ids"].tolist()}


def test_an_answer_ends_with_its_json_value(preprocessor):
    tokens = preprocessor.tokenizer('{"a": 1} and more', add_special_tokens=False)["input_ids"]
    json_settings = free_settings(64, JsonAnswers(AnswerSchema({"type": "object"})), preprocessor)
    cut = outcome_of(said(tokens, "length"), preprocessor, json_settings)
    whole = outcome_of(said(tokens, "length"), preprocessor, FREE)
    assert isinstance(cut, Answer)
    assert isinstance(whole, Answer)
    assert json.loads(cut.text) == {"a": 1}
    assert (cut.ended, whole.ended) == (True, False)
    assert cut.new_tokens < whole.new_tokens == len(tokens)


def test_log_probabilities_are_those_of_the_chosen_tokens(preprocessor):
    outcome = outcome_of(said([5, 6], logprobs=[-0.25, -0.75]), preprocessor, FREE)
    assert isinstance(outcome, Answer)
    assert outcome.mean_token_logprob == pytest.approx(-0.5)


def test_an_answer_that_vllm_gave_up_is_a_reason(preprocessor):
    assert outcome_of(said([5], "abort"), preprocessor, FREE) == Unanswered("vLLM ended it for the reason abort")


@pytest.mark.parametrize(("rank", "reserved"), [(4, 8), (16, 16), (17, 32), (300, 320)])
def test_memory_is_reserved_for_the_rank_of_the_adapter(tmp_path, tiny_base, preprocessor, rank, reserved):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": rank, "rank_pattern": {}}), encoding="utf-8")
    arguments = model_arguments(find_base(str(tiny_base)), preprocessor, "bfloat16", tmp_path, 7)
    assert (arguments["max_lora_rank"], arguments["max_num_seqs"], arguments["dtype"]) == (reserved, 7, "bfloat16")
    assert arguments["mm_processor_kwargs"] == {"do_sample_frames": False, "crop_to_patches": False}


@pytest.mark.parametrize("settings", [{"r": 600}, {"r": 8, "use_dora": True}, {"r": 8, "modules_to_save": ["lm_head"]}])
def test_an_adapter_that_vllm_does_not_read_is_refused(tmp_path, tiny_base, preprocessor, settings):
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(UserError, match=r"inference\.engine to transformers"):
        model_arguments(find_base(str(tiny_base)), preprocessor, "bfloat16", tmp_path, 7)


def test_sampling_is_greedy():
    assert sampling_arguments([2, 3], 9)["temperature"] == 0.0
    assert sampling_arguments([2, 3], 9)["stop_token_ids"] == [2, 3]


@pytest.mark.parametrize("wanted", [{"label_scores": True}, {"shards": 2}, {"device": "cpu"}])
def test_what_vllm_cannot_do_is_refused(wanted):
    with pytest.raises(ValidationError, match="engine is vllm"):
        InferenceSection(engine="vllm", **wanted)


def test_a_run_without_vllm_installed_is_told_how_to_install_it():
    config = load_recipe(Path("configs/quickstart.yaml"), ["inference.engine=vllm", "inference.label_scores=false"])
    with pytest.raises(UserError, match=r"install it with pip install 'video-guard\[vllm\]'"):
        check_inputs(config)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("training.lora.kind=dora", "training.lora.kind is dora"),
        ("training.lora.modules_to_save=[lm_head]", "training.lora.modules_to_save is lm_head"),
        ("training.lora.parts=[language, vision]", "training.lora.parts is language, vision"),
        ("training.train_whole=[projector]", "training.train_whole is projector"),
        ("model.quantization=4bit", "model.quantization is 4bit"),
    ],
)
def test_a_run_whose_model_vllm_could_not_load_is_refused_before_it_is_trained(monkeypatch, override, told):
    monkeypatch.setattr(preflight, "find_spec", lambda name: object())
    given = ["inference.engine=vllm", "inference.label_scores=false"]
    check_inputs(load_recipe(Path("configs/quickstart.yaml"), given))
    with pytest.raises(UserError, match=f"low-rank adapters of the language model alone: {re.escape(told)}"):
        check_inputs(load_recipe(Path("configs/quickstart.yaml"), [*given, override]))
