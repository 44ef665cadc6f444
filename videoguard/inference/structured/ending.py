"""Where a JSON value ends in a text that is still being written."""

import copy

from videoguard.manifests.labels import parse_json

_PAIRS = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class JsonScan:
    """Reads an answer piece by piece, and knows where its first JSON object or array ends.

    What stands before it is passed over: a sentence, a Markdown fence, brackets around what is no JSON, as in `[sic]`.
    """

    def __init__(self) -> None:
        self._text = bytearray()
        self._open: list[int] = []
        self._start = 0
        self._escaped = False
        self.in_text = False
        """Whether the next character stands within a text of the value."""
        self.ended = False
        """Whether a whole JSON object or array was read."""

    def read(self, piece: bytes) -> None:
        """Go on by some bytes of UTF-8, which may end within a character."""
        for byte in piece:
            if self.ended:
                return
            self._text.append(byte)
            self._read_byte(byte)

    def copy(self) -> "JsonScan":
        """The same state, to go on from."""
        return copy.deepcopy(self)

    def _read_byte(self, byte: int) -> None:
        if self.in_text:
            if self._escaped:
                self._escaped = False
            elif byte == _BACKSLASH:
                self._escaped = True
            elif byte == _QUOTE:
                self.in_text = False
        elif byte in _PAIRS:
            if not self._open:
                self._start = len(self._text) - 1
            self._open.append(_PAIRS[byte])
        elif self._open and byte == _QUOTE:
            self.in_text = True
        elif self._open and byte == self._open[-1]:
            self._open.pop()
            if not self._open:
                self.ended = parse_json(self._text[self._start :].decode("utf-8", errors="replace")) is not None
