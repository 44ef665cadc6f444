"""The registered model: a table of videos (file paths) and questions in, a table of answers out. MLflow runs this file."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from videoguard.inference.predictor import load_predictor


class VideoGuardModel(PythonModel):
    """An adapter on its base model."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load base and adapter; the base is the model configuration's `base`, which the loading call may override."""
        config = context.model_config
        loaded = {name: str(config[name]) for name in ("dtype", "quantization", "attention") if name in config}
        self._predictor = load_predictor(Path(context.artifacts["adapter"]), str(config["base"]), **loaded)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answers for the videos of the column `video`, to the optional column `question`; `error` says why one has none.

        A model of text alone has no column `video`. Other columns are values that the prompts of the training name.
        """
        rows = []
        for record in model_input.to_dict(orient="records"):
            fields = {
                name: value for name, value in record.items() if name not in {"video", "question"} and value is not None
            }
            video = Path(record["video"]) if record.get("video") else None
            answer = self._predictor.predict([video], record.get("question"), fields=fields)[0]
            rows.append({"answer": answer.answer, "error": answer.error})
        return pd.DataFrame(rows, columns=["answer", "error"])


mlflow.models.set_model(VideoGuardModel())
