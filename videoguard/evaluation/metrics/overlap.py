"""BLEU and chrF, as sacrebleu computes them (Post 2018, https://aclanthology.org/W18-6319)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import empty_reference, metric_info, score_rows

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacreMetric


class Bleu(Metric):  # type: ignore[misc]  # the library has no types
    """BLEU of each answer (orders that the answer is too short for left out) and of all together, from 0 to 1.

    Cut into words by sacrebleu's 13a, smoothed exponentially: its defaults.
    """

    def __init__(self, cache_dir: str) -> None:
        from sacrebleu.metrics.bleu import BLEU

        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._by_row = BLEU(effective_order=True)
        self._corpus = BLEU()

    def _info(self) -> MetricInfo:
        return metric_info("Precision of word n-grams up to four, less a penalty for brevity.", "Papineni et al., ACL 2002")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return _overlap(predictions, references, self._by_row, self._corpus)


class ChrF(Metric):  # type: ignore[misc]  # the library has no types
    """chrF2 of each answer and of all together, from 0 to 1: character n-grams up to six, white space left out."""

    def __init__(self, cache_dir: str) -> None:
        from sacrebleu.metrics.chrf import CHRF

        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._metric = CHRF()

    def _info(self) -> MetricInfo:
        return metric_info("F-score of character n-grams, recall weighted twice.", "Popović, WMT 2015")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return _overlap(predictions, references, self._metric, self._metric)


def _overlap(predictions: list[str], references: list[str], by_row: "SacreMetric", over_corpus: "SacreMetric") -> RowResults:
    def score(answers: list[str], wanted: list[str]) -> list[float]:
        return [
            _share(by_row.sentence_score(answer, [reference]).score)
            for answer, reference in zip(answers, wanted, strict=True)
        ]

    found = score_rows(predictions, references, reason_against=empty_reference, score=score)
    kept = [row for row, scored in enumerate(found["scores"]) if scored is not None]
    corpus = _corpus(over_corpus, [predictions[row] for row in kept], [references[row] for row in kept])
    return RowResults(scores=found["scores"], reasons=found["reasons"], corpus=corpus)


def _corpus(metric: "SacreMetric", predictions: Sequence[str], references: Sequence[str]) -> float | None:
    return _share(metric.corpus_score(predictions, [references]).score) if predictions else None


def _share(percent: float) -> float:
    # 100.00000000000004 is among what it gives.
    return min(percent / 100, 1.0)
