"""The known labels, and which of them a text is about."""

import re
from collections.abc import Iterable

from videoguard.manifests.labels import exercise_name, normalize_name

_WORD = re.compile(r"\w+")


class LabelList:
    """Labels that answers may name. Two that differ in case, hyphens and white space alone are one, as first written."""

    def __init__(self, labels: Iterable[str]) -> None:
        self._by_name: dict[str, str] = {}
        for label in labels:
            if name := normalize_name(label):
                self._by_name.setdefault(name, label)
        # "push-up" is two words in a text that writes it apart, and one in a text that does not.
        self._most_words = max((len(_WORD.findall(label)) for label in self._by_name.values()), default=0)

    @property
    def labels(self) -> list[str]:
        """The labels, in their order."""
        return list(self._by_name.values())

    def known(self, name: str | None) -> str | None:
        """The label that a name is, or None."""
        return None if name is None else self._by_name.get(normalize_name(name))

    def find(self, text: str) -> str | None:
        """The label that a text names, else the only one that it mentions; None where there is none, or several."""
        if (named := self.known(exercise_name(text))) is not None:
            return named
        mentioned = self._mentioned(text)
        return mentioned.pop() if len(mentioned) == 1 else None

    def _mentioned(self, text: str) -> set[str]:
        """Labels that stand in the text as whole words; where one holds another ("sumo squat" holds "squat"), the longer."""
        words = _WORD.findall(text)
        found: set[str] = set()
        start = 0
        while start < len(words):
            for end in range(min(len(words), start + self._most_words), start, -1):
                label = self.known("".join(words[start:end]))
                if label is not None:
                    found.add(label)
                    start = end - 1
                    break
            start += 1
        return found
