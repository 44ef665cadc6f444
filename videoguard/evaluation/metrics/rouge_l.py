"""ROUGE-L (Lin 2004, https://aclanthology.org/W04-1013), as rouge-score computes it."""

from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import empty_reference, metric_info, score_rows


class RougeL(Metric):  # type: ignore[misc]  # the library has no types
    """F-measure of the longest common subsequence of words, from 0 to 1, without a stemmer.

    Words are what `evaluate`'s ROUGE sees by default: runs of a-z and 0-9 of the lower-cased text. A wanted answer
    without any of them (another script) cannot be scored.
    """

    def __init__(self, cache_dir: str) -> None:
        from rouge_score.rouge_scorer import RougeScorer

        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._scorer = RougeScorer(["rougeL"], use_stemmer=False)

    def _info(self) -> MetricInfo:
        return metric_info(
            "F-measure of the longest common subsequence of words.",
            "Lin, ROUGE: a package for automatic evaluation of summaries, ACL workshop 2004",
        )

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=_reason_against, score=self._scores)

    def _scores(self, predictions: list[str], references: list[str]) -> list[float]:
        return [
            float(self._scorer.score(target=reference, prediction=prediction)["rougeL"].fmeasure)
            for prediction, reference in zip(predictions, references, strict=True)
        ]


def _reason_against(reference: str) -> str | None:
    from rouge_score.tokenize import tokenize

    if empty := empty_reference(reference):
        return empty
    if not tokenize(reference, None):
        return "the wanted answer has no letter a-z and no digit, and ROUGE-L's words are made of these"
    return None
