"""One example as its tokens, with those marked that are trained."""

from collections.abc import Sequence
from itertools import groupby

from transformers import PreTrainedTokenizerBase

from videoguard.models.preprocessing import IGNORED, Example
from videoguard.training.spans import Span

_LEAST_REPEATS = 2
_SHOWN = 80


def mark_tokens(example: Example, tokenizer: PreTrainedTokenizerBase) -> list[Span]:
    """The text of an example in spans that are trained or not; a special token that repeats is one span, told once.

    Args:
        example: with `input_ids` and `labels`, `(tokens,)` each.
        tokenizer: of the model.
    """
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    ids: list[int] = example["input_ids"].tolist()
    trained: list[bool] = (example["labels"] != IGNORED).tolist()
    spans: list[Span] = []
    for (token, marked), run in groupby(zip(ids, trained, strict=True), key=lambda pair: _kind(pair, special)):
        members = [number for number, _ in run]
        if token is not None and len(members) >= _LEAST_REPEATS:
            spans.append(Span(text=f"{tokenizer.decode([token])} × {len(members)}", trained=marked, tokens=len(members)))
        else:
            spans.append(Span(text=str(tokenizer.decode(members)), trained=marked, tokens=len(members)))
    return spans


def sum_up(spans: Sequence[Span]) -> str:
    """One line of an example: how much of it is trained, and what."""
    trained = [span for span in spans if span.trained]
    total, marked = sum(span.tokens for span in spans), sum(span.tokens for span in trained)
    text = " … ".join(" ".join(span.text.split()) for span in trained)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"{marked} of {total} tokens of the first example are trained: {shown}"


def _kind(pair: tuple[int, bool], special: set[int]) -> tuple[int | None, bool]:
    """What neighbouring tokens share where they stand in one span."""
    token, trained = pair
    # An end of turn within what is trained belongs to the text that it ends.
    return (token if token in special and not trained else None), trained
