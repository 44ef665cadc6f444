"""The registered world adapter: a table of inputs, prompts and files to write in, a table of what was written out.

MLflow runs this file.
"""

import tempfile
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from videoguard.config.world import GenerationSection
from videoguard.world.generation.generate import generate_clips
from videoguard.world.generation.request import CLIP, FAILED, ClipOrder, GenerationRequest


class WorldModel(PythonModel):
    """An adapter on its base pipeline, with the guardrail that it was registered with."""

    def load_context(self, context: PythonModelContext) -> None:
        """Note where base and adapter are; the base is the configuration's `base`, which the loading call may override."""
        self._adapter = Path(context.artifacts["adapter"])
        self._config = dict(context.model_config)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Generate a clip for each row: `input` (picture or video), `prompt`, `output` (file to write)."""
        failed: dict[str, str] = {}

        def listen(event: dict[str, object]) -> None:
            if event.get("state") == FAILED:
                failed[str(event["clip"])] = str(event["reason"])

        records = model_input.to_dict(orient="records")
        with tempfile.TemporaryDirectory() as folder:
            orders = [self._order(str(number), record, Path(folder)) for number, record in enumerate(records)]
            generate_clips(self._request(orders), listen)
            for order, record in zip(orders, records, strict=True):
                if order.key not in failed:
                    Path(record["output"]).parent.mkdir(parents=True, exist_ok=True)
                    Path(record["output"]).write_bytes((order.folder / CLIP).read_bytes())
        rows = [
            {"output": None if order.key in failed else record["output"], "error": failed.get(order.key)}
            for order, record in zip(orders, records, strict=True)
        ]
        return pd.DataFrame(rows, columns=["output", "error"])

    def _order(self, key: str, record: dict[Any, Any], folder: Path) -> ClipOrder:
        return ClipOrder(
            key=key,
            input=Path(record["input"]),
            prompt=record["prompt"],
            negative_prompt=self._config["generation"].get("negative_prompt"),
            seed=int(self._config["seed"]),
            weights={"trained": 1.0},
            folder=folder / key,
        )

    def _request(self, orders: list[ClipOrder]) -> GenerationRequest:
        how = self._config
        return GenerationRequest(
            base=Path(how["base"]),
            adapters={"trained": self._adapter},
            dtype=how["dtype"],
            quantization=how["quantization"],
            offload=how["offload"],
            process=0,
            generation=GenerationSection.model_validate(how["generation"]),
            guardrail=how["guardrail"],
            refiner=how["refiner"],
            refiner_model=how["refiner_model"],
            orders=tuple(orders),
        )


mlflow.models.set_model(WorldModel())
