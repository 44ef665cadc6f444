"""Tokens of an example in spans, trained or not."""

import torch

from videoguard.models.preprocessing import IGNORED
from videoguard.models.tiny.tokenizer import chatml, train_tokenizer
from videoguard.training.preview import mark_tokens, sum_up


def test_spans_follow_the_labels_and_fold_what_repeats():
    tokenizer = train_tokenizer(["what is it? a squat"], 300, chatml())
    (mark,) = tokenizer("<|im_start|>", add_special_tokens=False)["input_ids"]
    asked = tokenizer("what?", add_special_tokens=False)["input_ids"]
    said = tokenizer("a squat<|im_end|>", add_special_tokens=False)["input_ids"]
    ids = [mark, mark, mark, *asked, *said]
    labels = [IGNORED] * (3 + len(asked)) + said
    spans = mark_tokens({"input_ids": torch.tensor(ids), "labels": torch.tensor(labels)}, tokenizer)
    assert [(span.text, span.trained, span.tokens) for span in spans] == [
        ("<|im_start|> × 3", False, 3),
        ("what?", False, len(asked)),
        ("a squat<|im_end|>", True, len(said)),
    ]
    assert sum_up(spans) == f"{len(said)} of {len(ids)} tokens of the first example are trained: a squat<|im_end|>"


def test_a_long_answer_is_cut_in_the_line_of_the_start():
    tokenizer = train_tokenizer(["word"], 300, chatml())
    said = tokenizer("word " * 100, add_special_tokens=False)["input_ids"]
    spans = mark_tokens({"input_ids": torch.tensor([0, *said]), "labels": torch.tensor([IGNORED, *said])}, tokenizer)
    shown = sum_up(spans).partition("trained: ")[2]
    assert shown == ("word " * 100)[:80] + "…"
