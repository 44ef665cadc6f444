"""The answers to a frame as tokens, and where among them a model chooses.

An answer is `<label>`, then `<safe>` or categories in ascending order, then `<continue></label>`. So a model makes the same
choice again and again: to end, or to name one more category, and which. Between the choices stand tokens that every answer
has; they are given, and only the choices are scored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, takewhile

from videoguard.dataset.guard_texts import CODES, closing_answer, frame_answer
from videoguard.errors import UserError

Tokens = tuple[int, ...]
Labels = tuple[str, ...]
# Whatever a summary begins with must not change the tokens that are given before it.
_BEGINNINGS = ("A", "a", " a", "1", "<", "\n", "\N{LATIN CAPITAL LETTER E WITH ACUTE}")


@dataclass(frozen=True)
class Choice:
    """Where an answer that has named some categories ends or names another."""

    stem: Tokens
    """From the start of the answer to where it is decided whether it ends."""
    end: int
    """Token after the stem where it ends."""
    more: int
    """Token after the stem where it names another."""
    probe: Tokens
    """From the start of the answer to where it is decided which category is named next."""
    categories: dict[str, int]
    """Token after the probe for each category."""


class LabelTokens:
    """The tokens of the answers to a frame, as a tokenizer writes them.

    Raises:
        UserError: the tokenizer does not write them so that they branch where the categories do.
    """

    def __init__(self, tokenize: Callable[[str], Sequence[int]]) -> None:
        """Tokenize all answers.

        Args:
            tokenize: the tokens of an answer with its end of turn.
        """
        self._tokenize = tokenize
        sets = [labels for size in range(len(CODES) + 1) for labels in combinations(CODES, size)]
        self._answers = {labels: tuple(tokenize(frame_answer(labels))) for labels in sets}
        self._choices = {labels: self._choice(labels) for labels in sets if CODES[-1] not in labels}

    def answer(self, labels: Labels) -> Tokens:
        """The whole answer that names these categories, with its end of turn."""
        return self._answers[labels]

    def choice(self, named: Labels) -> Choice | None:
        """What comes after these categories; None where no other can."""
        return self._choices.get(named)

    def closing(self, labels: Labels) -> Tokens:
        """The start of an answer that closes a clip, up to where the model writes on freely: a summary, or the end."""
        answers = [closing_answer(labels, beginning) for beginning in _BEGINNINGS] + [closing_answer(labels, None)]
        return _common([tuple(self._tokenize(answer)) for answer in answers])

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest answer."""
        return max(map(len, self._answers.values()))

    def _choice(self, named: Labels) -> Choice:
        ends = self._answers[named]
        going_on = {labels: tokens for labels, tokens in self._answers.items() if _goes_on(labels, named)}
        stem = _common([ends, *going_on.values()])
        left = sorted({labels[len(named)] for labels in going_on})
        more = next(iter(going_on.values()))[len(stem)]
        if len(left) == 1:
            # There is nothing to choose once it is decided that the answer goes on.
            return Choice(stem, ends[len(stem)], more, stem, {left[0]: more})
        probe = _common(list(going_on.values()))
        places = {
            code: {tokens[len(probe)] for labels, tokens in going_on.items() if labels[len(named)] == code} for code in left
        }
        categories = {code: min(tokens) for code, tokens in places.items()}
        if any(len(tokens) > 1 for tokens in places.values()) or len(set(categories.values())) < len(categories):
            raise UserError(
                f"the tokenizer of the model writes {frame_answer((*named, CODES[-1]))!r} so that the categories do not "
                "begin with different tokens: the streaming guard cannot tell their probabilities; take another model"
            )
        return Choice(stem, ends[len(stem)], more, probe, categories)


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens at the start that both have."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _goes_on(labels: Labels, named: Labels) -> bool:
    return len(labels) > len(named) and labels[: len(named)] == named


def _common(sequences: Sequence[Tokens]) -> Tokens:
    # Whatever the first and the last in order have in common, those between them have too.
    first, last = min(sequences), max(sequences)
    return first[: common_length(first, last)]
