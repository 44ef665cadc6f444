"""Generation: batches equal single prompts, and log-probabilities equal a forward pass."""

import pytest
import torch

from videoguard.dataset.building import messages_of, read_split
from videoguard.inference.engine import Engine
from videoguard.inference.generation import GenerationSettings


@pytest.fixture(scope="module")
def prompts(small_set, preprocessor):
    """Prompts of different length: the questions are cut at different words."""
    store = small_set.store
    made = []
    for number, row in enumerate(list(read_split(small_set.dataset, "test"))[:6]):
        messages = messages_of(row)[:-1]
        question = messages[-1]["content"][1]
        question["text"] = " ".join(str(question["text"]).split()[: number + 2])
        made.append(preprocessor.prompt(messages, store.frames(row["video"])[: 4 - number % 3]))
    assert len({len(prompt["input_ids"]) for prompt in made}) > 2
    return made


def test_a_padded_batch_answers_as_each_prompt_alone(engine, prompts):
    together = engine.answer(prompts, GenerationSettings(16))
    alone = [engine.answer([prompt], GenerationSettings(16))[0] for prompt in prompts]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.new_tokens for answer in together] == [answer.new_tokens for answer in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.mean_token_logprob == pytest.approx(other.mean_token_logprob, abs=1e-4)
    assert len({answer.text for answer in together}) > 1


def test_the_log_probability_is_that_of_a_full_forward_pass(engine, prompts, adapted):
    batch = {name: tensor.unsqueeze(0) if name == "input_ids" else tensor for name, tensor in prompts[0].items()}
    mask = torch.ones_like(batch["input_ids"])
    generated = adapted.generate(**batch, attention_mask=mask, max_new_tokens=10, do_sample=False)
    start = batch["input_ids"].shape[1]
    with torch.inference_mode():
        logits = adapted(**{**batch, "input_ids": generated}, attention_mask=torch.ones_like(generated)).logits[0]
    new = generated[0, start:]
    # The token at place t is predicted by the logits at t - 1.
    by_hand = torch.log_softmax(logits[start - 1 : -1].float(), dim=-1).gather(1, new[:, None]).mean()

    answer = engine.answer([prompts[0]], GenerationSettings(10))[0]
    assert answer.new_tokens == len(new)
    assert answer.mean_token_logprob == pytest.approx(float(by_hand), abs=1e-4)
    assert answer.mean_token_logprob < 0


def test_the_limit_of_new_tokens_is_kept(engine, prompts):
    assert [answer.new_tokens for answer in engine.answer(prompts, GenerationSettings(1))] == [1] * len(prompts)


def test_the_end_of_a_turn_is_counted_and_not_shown(engine, preprocessor):
    words = preprocessor.tokenizer("squat - good", add_special_tokens=False)["input_ids"]
    tokens = [*words, preprocessor.tokenizer.eos_token_id]
    answer = engine.finish(tokens, -1.5, ended=True)
    assert (answer.text, answer.new_tokens) == ("squat - good", len(words) + 1)
    assert answer.mean_token_logprob == pytest.approx(-1.5 / (len(words) + 1))


def test_an_answer_that_ends_at_once_is_empty(engine, preprocessor):
    answer = engine.finish([preprocessor.tokenizer.eos_token_id], -0.5, ended=True)
    assert (answer.text, answer.new_tokens, answer.mean_token_logprob) == ("", 1, -0.5)


def test_the_adapter_changes_the_answers(prompts, preprocessor, adapted):
    with_adapter = Engine(adapted, preprocessor).answer(prompts[:2], GenerationSettings(8))
    with adapted.disable_adapter():
        without = Engine(adapted, preprocessor).answer(prompts[:2], GenerationSettings(8))
    assert [answer.mean_token_logprob for answer in with_adapter] != [answer.mean_token_logprob for answer in without]
