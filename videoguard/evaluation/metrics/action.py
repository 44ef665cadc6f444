"""Action recognition: whether the answer is the wanted action among the known ones, and how much of it the answer tells."""

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from videoguard.evaluation.label_list import LabelList
from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import Named, RowResults
from videoguard.evaluation.metrics.row_scoring import metric_info, score_rows
from videoguard.manifests.labels import same_exercise

if TYPE_CHECKING:
    from videoguard.evaluation.encoding import TextEncoder

_WORD = re.compile(r"[^\W_]+")
_FUNCTION_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "being",
        "by",
        "for",
        "from",
        "has",
        "have",
        "he",
        "her",
        "his",
        "in",
        "into",
        "is",
        "it",
        "its",
        "of",
        "off",
        "on",
        "onto",
        "or",
        "over",
        "she",
        "some",
        "someone",
        "something",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "up",
        "was",
        "were",
        "while",
        "who",
        "with",
        "person",
        "people",
        "man",
        "woman",
    ]
)


class ActionTop1(Metric):  # type: ignore[misc]  # the library has no types
    """1 where the answer is the sample's label, else 0 (top-1 accuracy over a closed list of labels).

    The answer is the label that it names or mentions; a description that mentions none, or several, is the label whose
    sentence embedding is nearest to the answer's. The references are the labels.
    """

    def __init__(self, cache_dir: str, labels: LabelList, encoder: "TextEncoder") -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._labels = labels
        self._encoder = encoder

    def _info(self) -> MetricInfo:
        return metric_info("Share of the answers whose nearest label is the sample's.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        answered = self._label_of_each(set(predictions))

        def score(answers: list[str], wanted: list[str]) -> list[float]:
            pairs = zip(answers, wanted, strict=True)
            return [float(same_exercise(answered[answer], label)) for answer, label in pairs]

        found = score_rows(predictions, references, reason_against=_no_label, score=score)
        classes: list[list[Named]] = [
            [] if scored is None else [(label, answered[answer])]
            for scored, answer, label in zip(found["scores"], predictions, references, strict=True)
        ]
        return RowResults(scores=found["scores"], reasons=found["reasons"], classes=classes)

    def _label_of_each(self, texts: set[str]) -> dict[str, str | None]:
        found = {text: self._labels.find(text) for text in texts}
        described = sorted(text for text, label in found.items() if label is None and text.strip())
        labels = self._labels.labels
        if described and labels:
            vectors = self._encoder.encode([*labels, *described])
            nearest = np.argmax(vectors[len(labels) :] @ vectors[: len(labels)].T, axis=1)
            found |= {text: labels[at] for text, at in zip(described, nearest, strict=True)}
        return found


class ActionDescription(Metric):  # type: ignore[misc]  # the library has no types
    """Share of the wanted description's content words whose stem the answer has, from 0 to 1.

    Articles, prepositions, pronouns and the words for whoever acts are no content.
    """

    def __init__(self, cache_dir: str) -> None:
        from nltk.stem.porter import PorterStemmer

        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._stem = cache(PorterStemmer().stem)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the wanted description's content words that the answer has.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=self._reason_against, score=self._scores)

    def _reason_against(self, reference: str) -> str | None:
        return None if self._content(reference) else "the wanted answer has no word of content"

    def _scores(self, predictions: list[str], references: list[str]) -> list[float]:
        scores = []
        for prediction, reference in zip(predictions, references, strict=True):
            wanted = self._content(reference)
            scores.append(len(wanted & self._content(prediction)) / len(wanted))
        return scores

    def _content(self, text: str) -> set[str]:
        return {self._stem(word) for word in _WORD.findall(text.lower()) if word not in _FUNCTION_WORDS}


def _no_label(label: str) -> str | None:
    return None if label.strip() else "the sample has no label"
