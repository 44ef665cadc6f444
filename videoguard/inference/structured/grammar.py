"""Constrained decoding: an answer is held to a JSON Schema token by token, by the library llguidance.

Every token that the schema rules out is forbidden, so that any model with any weights writes an answer that fits. The answer
is held to its limit of tokens too: a way to the end of the value that fits into what is left is always known, and is taken
where the model's own choice would leave none.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from pydantic import JsonValue
from transformers import PreTrainedTokenizerFast

from videoguard.errors import UserError
from videoguard.inference.structured.closing import Closing, unpack
from videoguard.inference.structured.ending import JsonScan
from videoguard.inference.structured.schemas import grammar_of, require_grammar

_LONGEST_WAY = 4096


class AnswerGrammar:
    """A JSON Schema as the tokens of one model can write it."""

    def __init__(
        self, schema: Mapping[str, JsonValue], tokenizer: PreTrainedTokenizerFast, ends: Sequence[int], vocabulary: int
    ) -> None:
        """Compile a schema; takes up to a second with a large vocabulary.

        Args:
            schema: what every answer must fit.
            tokenizer: of the model.
            ends: tokens that end an answer.
            vocabulary: scores that the model gives, which may be more than the tokenizer has tokens.

        Raises:
            UserError: the schema has a rule that decoding cannot be held to.
        """
        require_grammar(schema)
        self.ends = tuple(ends)
        self.tokenizer: LLTokenizer = from_tokenizer(
            tokenizer, n_vocab=max(vocabulary, len(tokenizer)), eos_token=list(ends)
        )
        self.closing = Closing(self.tokenizer)
        self._start = LLMatcher(self.tokenizer, grammar_of(schema))
        assert not self._start.is_error(), self._start.get_error()
        self.shortest = self.closing.find(self._start, JsonScan(), _LONGEST_WAY)
        """Tokens of a short answer that fits; None where none was found."""

    def require_room(self, most: int) -> None:
        """Refuse a longest answer into which no answer fits that the schema allows, as `UserError`."""
        if self.shortest is None or len(self.shortest) > most:
            needed = "more than " + str(_LONGEST_WAY) if self.shortest is None else len(self.shortest)
            raise UserError(
                f"inference.max_new_tokens is {most}: an answer that fits dataset.answer.json_schema takes {needed} tokens "
                "or more; raise it, or let the schema ask for less"
            )

    def hold(self, most: int) -> "HeldAnswer":
        """A new answer of at most `most` tokens."""
        assert self.shortest is not None
        return HeldAnswer(self, self._start.deep_copy(), self.shortest, most)


class HeldAnswer:
    """One answer while it is written.

    Between two looks for a way to the end some tokens are taken on trust: as many as fit where each lengthens the way by as
    much as a whole short answer takes, which is what a token does that begins one more item.
    """

    def __init__(self, grammar: AnswerGrammar, matcher: LLMatcher, way: Sequence[int], most: int) -> None:
        self._grammar = grammar
        self._matcher = matcher
        self._scan = JsonScan()
        self._way: list[int] | None = list(way)
        """Tokens to the end of the value; None where it was not looked for since the last token."""
        self._former = list(way)
        """The last way that was known, and often is one still: another letter changes nothing about how to close a text."""
        self._ahead: tuple[int, list[int] | None] | None = None
        """A token that was asked about, and the way after it."""
        self._left = most
        self._growth = len(way) + 1
        self._trusted = self._trust(len(way))
        self.ended = False
        """Whether an end token was taken."""
        self.forced = 0
        """Tokens that were taken to come to an end within the limit, in place of the model's own choice."""

    @property
    def complete(self) -> bool:
        """Whether what is written is a whole value that fits the schema."""
        return bool(self._matcher.is_accepting())

    def allow(self, bits: npt.NDArray[np.int32], row: int) -> None:
        """Set in a row of a bit mask `(rows, ceil(vocabulary / 32))` the tokens that may come next."""
        if self.ended or self._matcher.is_stopped():
            bits[row] = 0
            for end in self._grammar.ends:
                bits.view(np.uint32)[row, end // 32] |= np.uint32(1 << end % 32)
        else:
            fill_next_token_bitmask(self._matcher, bits, row)

    def choose(self, wanted: int) -> int:
        """The token to take: the one that the model wants most of the allowed ones, or one on a way to the end."""
        if self.ended or wanted in self._grammar.ends or self._trusted > 0 or self._way is None:
            return wanted
        if self._way and wanted == self._way[0]:
            return wanted
        self._ahead = (wanted, self._after(wanted))
        if self._ahead[1] is not None:
            return wanted
        self.forced += 1
        return self._way[0] if self._way else self._grammar.ends[0]

    def take(self, token: int) -> None:
        """Go on by a token that was generated."""
        if self.ended or token in self._grammar.ends:
            self.ended = True
            return
        if self._trusted > 0:
            self._trusted -= 1
            way = None
        elif self._way and token == self._way[0]:
            way = self._way[1:]
        else:
            way = self._ahead[1] if self._ahead is not None and self._ahead[0] == token else self._after(token)
        self._ahead = None
        self._matcher.consume_token(token)
        self._scan.read(self._grammar.tokenizer.decode_bytes([token]))
        self._left -= 1
        if self._trusted == 0 and way is None:
            former = self._leads_on(self._matcher, self._former, self._left)
            way = self._former if former else self._grammar.closing.find(self._matcher, self._scan, self._left)
        self._way = way
        if way is not None:
            self._former = way
            self._trusted = self._trust(len(way))

    def _trust(self, way: int) -> int:
        return max(0, (self._left - way) // (1 + self._growth))

    def _after(self, token: int) -> list[int] | None:
        """A way to the end after a token, that fits into what is then left."""
        trial = self._matcher.deep_copy()
        trial.consume_token(token)
        written = self._grammar.tokenizer.decode_bytes([token])
        for way in self._variants(written):
            if self._leads_on(trial, way, self._left - 1):
                return way
        scan = self._scan.copy()
        scan.read(written)
        return self._grammar.closing.find(trial, scan, self._left - 1)

    def _variants(self, written: bytes) -> Iterator[list[int]]:
        """The way as it was known, which may go on to be one, and is quicker tried than another is found."""
        if self._way is None:
            return
        ahead = self._grammar.tokenizer.decode_bytes(self._way)
        if written and ahead.startswith(written):
            yield self._grammar.tokenizer.tokenize_bytes(ahead[len(written) :])
        yield self._way

    @staticmethod
    def _leads_on(matcher: LLMatcher, way: list[int], most: int) -> bool:
        """Whether tokens, at most so many, lead from where a matcher is to the end of the value."""
        trial = matcher.deep_copy()
        return len(way) <= most and trial.try_consume_tokens(way) == len(way) and bool(trial.is_accepting())


class SchemaConstraint:
    """Holds the answers of one call of the engine to a grammar: a `Constraint` of `videoguard.inference.generation`."""

    def __init__(self, grammar: AnswerGrammar, most: int) -> None:
        self._grammar = grammar
        self._most = most
        self._held: dict[int, HeldAnswer] = {}

    def limit(self, rows: Sequence[int], generated: Sequence[Sequence[int]], scores: torch.Tensor) -> None:
        """Forbid what the schema rules out, or what would leave no way to its end within the longest answer."""
        held = [self._go_on(row, tokens) for row, tokens in zip(rows, generated, strict=True)]
        bits = allocate_token_bitmask(len(held), self._grammar.tokenizer.vocab_size)
        for place, answer in enumerate(held):
            answer.allow(bits, place)
        allowed = torch.from_numpy(unpack(bits, scores.shape[1])).to(scores.device)
        scores.masked_fill_(~allowed, -torch.inf)
        wanted: list[int] = scores.argmax(dim=-1).tolist()
        for place, (answer, token) in enumerate(zip(held, wanted, strict=True)):
            if (chosen := answer.choose(token)) != token:
                scores[place] = -torch.inf
                scores[place, chosen] = 0.0

    def _go_on(self, row: int, tokens: Sequence[int]) -> HeldAnswer:
        if not tokens:
            self._held[row] = self._grammar.hold(self._most)
        else:
            self._held[row].take(tokens[-1])
        return self._held[row]
