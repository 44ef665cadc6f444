"""Of the answer's text itself: whether it is the wanted one word for word, and how long it is."""

import re
import unicodedata

from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import empty_reference, metric_info, score_rows

# Scripts without spaces: a character of kana or an ideograph counts as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


class ExactMatch(Metric):  # type: ignore[misc]  # the library has no types
    """1 where the answer is the wanted answer, white space and Unicode forms (NFC) aside; else 0."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the answers that are the wanted answer.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=empty_reference, score=_are_equal)


class AnswerWords(Metric):  # type: ignore[misc]  # the library has no types
    """Words of the answer; neither more nor fewer is better. Every answer has a length, also where none was wanted."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Words of the answer.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        assert len(predictions) == len(references)
        return RowResults(
            scores=[float(len(_WORD.findall(text))) for text in predictions], reasons=[None] * len(predictions)
        )


def _are_equal(predictions: list[str], references: list[str]) -> list[float]:
    return [float(_form(answer) == _form(wanted)) for answer, wanted in zip(predictions, references, strict=True)]


def _form(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
