"""Cosine of sentence embeddings (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084)."""

import numpy as np

from videoguard.evaluation.encoding import TextEncoder
from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.metrics.row_scoring import empty_reference, metric_info, score_rows


class BertSimilarity(Metric):  # type: ignore[misc]  # the library has no types
    """Cosine of the embeddings of answer and wanted answer, from -1 to 1.

    Texts beyond the encoder's limit (256 tokens for all-MiniLM-L6-v2) are compared by their beginnings. An empty answer
    has the cosine of the empty text, which the encoder puts near 0, not at 0.
    """

    def __init__(self, encoder: TextEncoder, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._encoder = encoder

    def _info(self) -> MetricInfo:
        return metric_info(
            "Cosine of the sentence embeddings of answer and wanted answer.",
            "Reimers and Gurevych, Sentence-BERT, EMNLP 2019",
        )

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=empty_reference, score=self._cosines)

    def _cosines(self, predictions: list[str], references: list[str]) -> list[float]:
        vectors = self._encoder.encode([*predictions, *references])
        answered, wanted = vectors[: len(predictions)], vectors[len(predictions) :]
        cosines = np.einsum("nd,nd->n", answered, wanted).clip(-1.0, 1.0)
        return [float(cosine) for cosine in cosines]
