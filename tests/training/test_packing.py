"""Packed sequences train as their examples do one by one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from videoguard.errors import UserError
from videoguard.models.preprocessing import IGNORED
from videoguard.training.packing import PackedExamples, collate_packed, join, pack

PAD = 0


def example(length: int, seed: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 50, (length,), generator=torch.Generator().manual_seed(seed))
    labels = ids.clone()
    labels[: length // 2] = IGNORED
    return {"input_ids": ids, "labels": labels}


EXAMPLES = [example(length, seed) for seed, length in enumerate([7, 4, 9, 5, 6])]
SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 50,
}
MODELS: dict[str, Callable[[], Any]] = {
    "qwen2": lambda: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SIZE, num_key_value_heads=2)),
    "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZE, num_key_value_heads=2)),
    "gpt2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=50, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    ),
}


@given(st.lists(st.integers(1, 64), max_size=60))
def test_every_example_is_packed_once_and_fits(lengths):
    packs = pack(lengths, 64)
    assert sorted(place for places in packs for place in places) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in places) <= 64 for places in packs)
    fewest = -(-sum(lengths) // 64)
    # No two packs would fit into one.
    assert len(packs) <= max(1, 2 * fewest) or not lengths


def test_examples_fill_the_tightest_room():
    # 6 and 4 fill 10; 5 goes to a sequence of its own, where the 3 leaves less room than nowhere else.
    assert pack([5, 6, 3, 4], 10) == [[1, 3], [0, 2]]


def test_positions_start_anew_and_the_first_token_is_not_trained():
    joined = join([{"input_ids": torch.tensor([5, 6]), "labels": torch.tensor([5, 6])}] * 2)
    assert joined["input_ids"].tolist() == [5, 6, 5, 6]
    assert joined["labels"].tolist() == [IGNORED, 6, IGNORED, 6]
    assert joined["position_ids"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("family", MODELS)
def test_packed_sequences_have_the_loss_and_gradients_of_their_examples(family):
    torch.manual_seed(0)
    model = MODELS[family]()
    trained = sum(int((one["labels"][1:] != IGNORED).sum()) for one in EXAMPLES)
    alone = torch.zeros(())
    for one in EXAMPLES:
        here = int((one["labels"][1:] != IGNORED).sum())
        alone = alone + model(input_ids=one["input_ids"][None], labels=one["labels"][None]).loss * here / trained
    wanted = torch.autograd.grad(alone, [p for p in model.parameters() if p.requires_grad])

    packed = PackedExamples(EXAMPLES, pack([len(one["input_ids"]) for one in EXAMPLES], 16))
    assert len(packed) < len(EXAMPLES)
    batch = collate_packed([packed[place] for place in range(len(packed))], PAD)
    together = model(**batch).loss
    found = torch.autograd.grad(together, [p for p in model.parameters() if p.requires_grad])
    assert together.item() == pytest.approx(alone.item(), rel=1e-5)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_padding_trains_nothing_and_counts_no_example():
    batch: dict[str, Any] = collate_packed([join(EXAMPLES[:2]), join(EXAMPLES[2:3])], PAD)
    assert batch["input_ids"].shape == (2, 11)
    assert batch["input_ids"][1, 9:].tolist() == [PAD, PAD]
    assert batch["labels"][1, 9:].tolist() == [IGNORED, IGNORED]
    assert int((batch["position_ids"] == 0).sum()) == 3


def test_examples_with_media_are_refused():
    with pytest.raises(UserError, match=r"training\.packing is for text-only examples: one has pixel_values"):
        join([{**EXAMPLES[0], "pixel_values": torch.zeros(1)}])
