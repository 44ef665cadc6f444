"""Cosine of sentence embeddings (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084)."""

from typing import TYPE_CHECKING

import evaluate
import numpy as np

from videoguard.evaluation.metrics.row_scoring import RowResults, empty_reference, metric_info, score_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 64


class BertSimilarity(evaluate.Metric):  # type: ignore[misc]  # the library has no types
    """Cosine of the embeddings of answer and wanted answer, from -1 to 1.

    Texts beyond the encoder's limit (256 tokens for all-MiniLM-L6-v2) are compared by their beginnings. An empty answer
    has the cosine of the empty text, which the encoder puts near 0, not at 0.
    """

    def __init__(self, encoder: "SentenceTransformer", cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)
        self._encoder = encoder

    def _info(self) -> evaluate.MetricInfo:
        return metric_info(
            "Cosine of the sentence embeddings of answer and wanted answer.",
            "Reimers and Gurevych, Sentence-BERT, EMNLP 2019",
        )

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=empty_reference, score=self._cosines)

    def _cosines(self, predictions: list[str], references: list[str]) -> list[float]:
        # References repeat, and so do the answers of a model that knows few phrases: each text is encoded once. Texts
        # of like length stand in one batch, which keeps padding small.
        texts = sorted({*predictions, *references}, key=lambda text: (len(text), text))
        vectors = self._encoder.encode(texts, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True)
        unit = np.asarray(vectors, dtype=np.float64)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        row_of = {text: row for row, text in enumerate(texts)}
        answered = unit[[row_of[text] for text in predictions]]
        wanted = unit[[row_of[text] for text in references]]
        cosines = np.einsum("nd,nd->n", answered, wanted).clip(-1.0, 1.0)
        return [float(cosine) for cosine in cosines]
