"""The shortest way to the end of a JSON value that is half written under a grammar.

Answers have a limit of tokens, so constrained decoding must know whether what is written can still be finished within it.
A way is looked for by closing whatever can be closed: an object before another key, an array before another item, a text
before another letter. Where something has to be written, what was not written before comes first, so that a pattern such as
`a*b` is got out of. The matcher checks every step of it; it need not be the shortest way there is.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from videoguard.inference.structured.ending import JsonScan

Allowed = npt.NDArray[np.bool_]

_QUOTE = b'"'
# Outside of texts, in this order: a value that is closed, what has to follow, and the values that end soonest.
_STRUCTURE = (b"}", b"]", b",", b":")
_SCALARS = tuple(bytes([first]) for first in b"0123456789ntf.-")
_OPENING = (_QUOTE, b"[", b"{")
_LONGEST_WORD = 16


class Closing:
    """Finds ways to the end for the grammars of one tokenizer."""

    def __init__(self, tokenizer: LLTokenizer) -> None:
        self._tokenizer = tokenizer
        self._bits = allocate_token_bitmask(1, tokenizer.vocab_size)
        known = self._texts()
        self._structure, self._scalars, self._opening, self._quote = (
            np.array([known[text] for text in texts if text in known], dtype=np.intp)
            for texts in (_STRUCTURE, _SCALARS, _OPENING, (_QUOTE,))
        )
        words = [(len(text), token) for text, token in known.items() if text.isalpha() and len(text) <= _LONGEST_WORD]
        # The longest first: ASCII letters alone, as `bytes.isalpha` has it.
        self._words = np.array([token for _, token in sorted(words, reverse=True)], dtype=np.intp)

    def find(self, matcher: LLMatcher, scan: JsonScan, most: int) -> list[int] | None:
        """Tokens with which the value is complete; None where none of at most `most` tokens were found.

        The matcher, and `scan` that has read the same, stay as they are.
        """
        trial, read = matcher.deep_copy(), scan.copy()
        tokens: list[int] = []
        used: dict[int, int] = {}
        # A way is looked for character by character, and takes fewer tokens in the end.
        while not trial.is_accepting():
            forced = trial.compute_ff_tokens()
            if not forced:
                forced = [self._choose(trial, used, in_text=read.in_text)]
                used[forced[0]] = len(tokens)
            if len(tokens) + len(forced) > most * _LONGEST_WORD or not trial.consume_tokens(forced):
                return None
            read.read(self._tokenizer.decode_bytes(forced))
            tokens += forced
        tokens = self._shorten(matcher, tokens)
        return tokens if len(tokens) <= most else None

    def _shorten(self, matcher: LLMatcher, tokens: list[int]) -> list[int]:
        """The same text in the tokens that the tokenizer would take for it, where the matcher agrees."""
        usual = self._tokenizer.tokenize_bytes(self._tokenizer.decode_bytes(tokens))
        return usual if len(usual) < len(tokens) and matcher.validate_tokens(usual) == len(usual) else tokens

    def _choose(self, trial: LLMatcher, used: Mapping[int, int], *, in_text: bool) -> int:
        """What closes most, else what was not used before, else what was used longest ago."""
        fill_next_token_bitmask(trial, self._bits)
        allowed = unpack(self._bits, self._tokenizer.vocab_size)[0]
        closing = self._quote if in_text else self._structure
        if len(closes := closing[allowed[closing]]):
            return int(closes[0])
        everything = np.flatnonzero(allowed)
        for group in (self._words, everything) if in_text else (self._scalars, self._opening, everything):
            for token in group[allowed[group]].tolist():
                if token not in used or group is self._opening:
                    return int(token)
        # All were used before: the one of longest ago.
        return int(min(everything.tolist(), key=lambda token: used.get(token, 0)))

    def _texts(self) -> dict[bytes, int]:
        """Ordinary tokens by what they write."""
        tokenizer = self._tokenizer
        ordinary = (token for token in range(tokenizer.vocab_size) if not tokenizer.is_special_token(token))
        # The first of several that write the same: a tokenizer with a token a byte has those last.
        return {tokenizer.decode_bytes([token]): token for token in reversed(list(ordinary))}


def unpack(bits: npt.NDArray[np.int32], vocabulary: int) -> Allowed:
    """Which tokens a bit mask `(rows, words)` allows, `(rows, vocabulary)`."""
    return np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, :vocabulary].astype(bool)
