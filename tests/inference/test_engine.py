"""Generation: batches equal single prompts, and log-probabilities equal a forward pass."""

import pytest
import torch

from videoguard.dataset.building import messages_of, read_split
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, GenerationSettings, Unanswered


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


class SmallMemory(Engine):
    """Runs out of memory as PyTorch does, where more is read or gone on with at a time than fits."""

    fits = 2

    def read(self, prompts):
        if len(prompts) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().read(prompts)


def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(adapted, preprocessor, prompts, engine):
    notes: list[str] = []
    small = SmallMemory(adapted, preprocessor, 6, notes.append)
    answers = small.answer(prompts, GenerationSettings(12))
    assert [answer.text for answer in answers] == [answer.text for answer in engine.answer(prompts, GenerationSettings(12))]
    assert notes == ["out of memory with 6 answers at a time: now 3", "out of memory with 3 answers at a time: now 1"]
    assert small.batch_size == 1


def test_a_prompt_that_does_not_fit_even_alone_fails_alone(adapted, preprocessor, prompts):
    class Choosy(Engine):
        def read(self, prompts):
            if any(len(prompt["input_ids"]) == longest for prompt in prompts):
                raise RuntimeError(
                    "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
                )
            return super().read(prompts)

    lengths = [len(prompt["input_ids"]) for prompt in prompts]
    longest = max(lengths)
    outcomes = dict(Choosy(adapted, preprocessor, 4).answer_all(enumerate(prompts), GenerationSettings(4)))
    for number, length in enumerate(lengths):
        outcome = outcomes[number]
        if length == longest:
            assert isinstance(outcome, Unanswered)
            assert outcome.reason.startswith("it does not fit into memory, even alone: ")
        else:
            assert isinstance(outcome, Answer)


def test_a_prompt_longer_than_the_context_fails_alone_and_an_answer_ends_with_it(
    adapted, preprocessor, prompts, monkeypatch
):
    lengths = sorted({len(prompt["input_ids"]) for prompt in prompts})
    context = lengths[-1]
    monkeypatch.setattr(adapted.config.get_text_config(), "max_position_embeddings", context)
    outcomes = dict(Engine(adapted, preprocessor).answer_all(enumerate(prompts), GenerationSettings(100)))
    for number, prompt in enumerate(prompts):
        outcome, length = outcomes[number], len(prompt["input_ids"])
        if length == context:
            assert outcome == Unanswered(
                f"the prompt has {length} tokens, and the model reads at most {context} with the answer: "
                "take fewer or smaller frames, or a shorter question"
            )
        else:
            assert isinstance(outcome, Answer)
            assert outcome.new_tokens <= context - length


def test_a_stop_ends_each_answer_by_itself(engine, prompts):
    whole = engine.answer(prompts, GenerationSettings(16))
    stopped = engine.answer(prompts, GenerationSettings(16, stops=[lambda: lambda tokens: len(tokens) == 3]))
    for one, other in zip(stopped, whole, strict=True):
        assert one.tokens == other.tokens[:3]
        assert one.ended


def test_prompts_may_come_later_and_answers_may_be_cut(engine, prompts):
    whole = engine.answer(prompts[:3], GenerationSettings(12))
    written: list[tuple[int, int]] = []

    def coming():
        yield 0, prompts[0]
        # Until the first has three tokens, there is no other.
        while (0, 3) not in written:
            yield None
        yield from enumerate(prompts[1:3], start=1)

    def cut(number, tokens):
        written.append((number, len(tokens)))
        return number == 1 and len(tokens) == 2

    outcomes = dict(engine.answer_all(coming(), GenerationSettings(12, cut=cut)))
    assert [outcomes[number].tokens for number in (0, 2)] == [whole[number].tokens for number in (0, 2)]
    assert (outcomes[1].tokens, outcomes[1].ended) == (whole[1].tokens[:2], False)
