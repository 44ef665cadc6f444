"""METEOR (Banerjee and Lavie 2005, https://aclanthology.org/W05-0909), as NLTK computes it."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import empty_reference, metric_info, score_rows

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader


class Meteor(Metric):  # type: ignore[misc]  # the library has no types
    """METEOR of answer against wanted answer, from 0 to 1: alpha 0.9, beta 3, gamma 0.5, Porter stems, WordNet synonyms.

    Texts are cut into words by NLTK's tokenizer over sentences that an untrained Punkt splits, which needs no download;
    on exercise feedback the scores are those of `evaluate`'s METEOR with the trained one.
    """

    def __init__(self, wordnet: "WordNetCorpusReader", cache_dir: str) -> None:
        from nltk.tokenize import NLTKWordTokenizer
        from nltk.tokenize.punkt import PunktSentenceTokenizer

        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        # A word costs 40 µs to stem and 50 µs to look up, and the same few hundred words come again in every answer.
        self._stemmer = _Stemmer()
        self._synonyms = _Synonyms(wordnet)
        self._sentences = PunktSentenceTokenizer()
        self._words = NLTKWordTokenizer()

    def _info(self) -> MetricInfo:
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
            float(single_meteor_score(words[reference], words[prediction], stemmer=self._stemmer, wordnet=self._synonyms))
            for prediction, reference in zip(predictions, references, strict=True)
        ]

    def _split(self, text: str) -> list[str]:
        return [word for sentence in self._sentences.tokenize(text) for word in self._words.tokenize(sentence)]


class _Stemmer:
    """Porter's stemmer, that remembers."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self.stem: Callable[[str], str] = cache(PorterStemmer().stem)


class _Lemma:
    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name


class _Synset:
    """All synonyms of one word, in the form in which METEOR asks for those of one sense."""

    def __init__(self, names: set[str]) -> None:
        self._lemmas = [_Lemma(name) for name in sorted(names)]

    def lemmas(self) -> list[_Lemma]:
        return self._lemmas


class _Synonyms:
    """WordNet as METEOR reads it, that remembers."""

    def __init__(self, wordnet: "WordNetCorpusReader") -> None:
        self._wordnet = wordnet
        self.synsets: Callable[[str], list[_Synset]] = cache(self._look_up)

    def _look_up(self, word: str) -> list[_Synset]:
        names = {lemma.name() for synset in self._wordnet.synsets(word) for lemma in synset.lemmas()}
        return [_Synset({name for name in names if "_" not in name})]
