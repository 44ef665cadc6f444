"""METEOR (Banerjee and Lavie 2005, https://aclanthology.org/W05-0909), as NLTK computes it."""

from typing import TYPE_CHECKING

import evaluate

from videoguard.evaluation.metrics.row_scoring import RowResults, empty_reference, metric_info, score_rows

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader


class Meteor(evaluate.Metric):  # type: ignore[misc]  # the library has no types
    """METEOR of answer against wanted answer, from 0 to 1: alpha 0.9, beta 3, gamma 0.5, Porter stems, WordNet synonyms.

    Texts are cut into words by NLTK's tokenizer over sentences that an untrained Punkt splits, which needs no download;
    on exercise feedback the scores are those of `evaluate`'s METEOR with the trained one.
    """

    def __init__(self, wordnet: "WordNetCorpusReader", cache_dir: str) -> None:
        from nltk.tokenize import NLTKWordTokenizer
        from nltk.tokenize.punkt import PunktSentenceTokenizer

        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._wordnet = wordnet
        self._sentences = PunktSentenceTokenizer()
        self._words = NLTKWordTokenizer()

    def _info(self) -> evaluate.MetricInfo:
        return metric_info(
            "Harmonic mean of unigram precision and recall over exact, stem and synonym matches, less a penalty for order.",
            "Banerjee and Lavie, METEOR, ACL workshop 2005",
        )

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=empty_reference, score=self._scores)

    def _scores(self, predictions: list[str], references: list[str]) -> list[float]:
        from nltk.translate.meteor_score import single_meteor_score

        words = {text: self._split(text) for text in {*predictions, *references}}
        return [
            float(single_meteor_score(words[reference], words[prediction], wordnet=self._wordnet))
            for prediction, reference in zip(predictions, references, strict=True)
        ]

    def _split(self, text: str) -> list[str]:
        return [word for sentence in self._sentences.tokenize(text) for word in self._words.tokenize(sentence)]
