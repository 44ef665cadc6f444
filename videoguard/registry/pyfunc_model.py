"""The registered model: a table of videos and questions in, a table of answers out. MLflow runs this file.

A video is a path of a file (`video`), or the bytes of one (`video_bytes`).
"""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from videoguard.errors import UserError
from videoguard.inference.predictor import VideoAnswer, load_predictor

_COLUMNS = {"video", "video_bytes", "question"}


class VideoGuardModel(PythonModel):
    """An adapter on its base model."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load base and adapter; the base is the model configuration's `base`, which the loading call may override."""
        config = context.model_config
        loaded = {name: str(config[name]) for name in ("dtype", "quantization", "attention") if name in config}
        self._most_mb = float(config["most_mb"])
        self._predictor = load_predictor(Path(context.artifacts["adapter"]), str(config["base"]), **loaded)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answers to the optional column `question`; `error` says why a row has none.

        Each row has a video in one of the columns `video` and `video_bytes`; a model of text alone has neither column. Other
        columns are values that the prompts of the training name.

        Raises:
            UserError: the table has neither column though the model looks at videos.
        """
        if not self._predictor.text_only and not {"video", "video_bytes"} & set(model_input.columns):
            raise UserError(
                "the table has no column video, of paths, and none video_bytes: the model looks at videos, give one"
            )
        rows = []
        for record in model_input.to_dict(orient="records"):
            given = {str(name): value for name, value in record.items() if _is_given(value)}
            try:
                answer = self._answer(given)
            except _RowError as refused:
                answer = VideoAnswer(None, None, str(refused))
            rows.append({"answer": answer.answer, "error": answer.error})
        return pd.DataFrame(rows, columns=["answer", "error"])

    def _answer(self, given: Mapping[str, Any]) -> VideoAnswer:
        if {"video", "video_bytes"} <= given.keys():
            raise _RowError("the row has both video and video_bytes: give one of them")
        fields = {name: value for name, value in given.items() if name not in _COLUMNS}
        if "video_bytes" not in given:
            video = Path(given["video"]) if "video" in given else None
            return self._predictor.predict([video], given.get("question"), fields=fields)[0]
        content = bytes(given["video_bytes"])
        if len(content) > self._most_mb * 2**20:
            raise _RowError(
                f"video_bytes has {len(content) / 2**20:,.1f} MiB, and at most {self._most_mb:g} are taken: give its path, "
                'or load the model with model_config={"most_mb": …}'
            )
        with tempfile.TemporaryDirectory(prefix="video-guard-") as folder:
            file = Path(folder, "video")
            file.write_bytes(content)
            return self._predictor.predict([file], given.get("question"), fields=fields)[0]


class _RowError(UserError):
    """Why a row is not asked at all."""


def _is_given(value: object) -> bool:
    """Whether a cell of a table holds something: an empty one may be None, NaN or an empty text."""
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


mlflow.models.set_model(VideoGuardModel())
