"""The tiny base and the adapter, loaded to answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from videoguard.config import InferenceSection
from videoguard.inference.engine import Engine
from videoguard.inference.request import InferenceRequest
from videoguard.models.base import find_base
from videoguard.models.loading import load_adapted, load_processor
from videoguard.models.preprocessing import Preprocessor


@pytest.fixture(scope="session")
def preprocessor(tiny_base) -> Preprocessor:
    base = find_base(str(tiny_base))
    return Preprocessor(load_processor(base), base.family)


@pytest.fixture(scope="session")
def adapted(tiny_base, trained):
    return load_adapted(find_base(str(tiny_base)), "float32", trained.adapter)


@pytest.fixture
def engine(adapted, preprocessor) -> Engine:
    return Engine(adapted, preprocessor)


@pytest.fixture(scope="session")
def inference_request(small_set, tiny_base, trained) -> Callable[..., InferenceRequest]:
    """Builds a request for the answers of the adapter, written to the folder `output`; fields may be changed."""

    def build(output: Path, **changes: object) -> InferenceRequest:
        fields: dict[str, Any] = {
            "base": str(tiny_base),
            "base_name": "tiny",
            "revision": None,
            "dtype": "float32",
            "adapter": trained.adapter,
            "dataset": small_set.dataset,
            "frame_store": small_set.frames,
            "frame_shards": small_set.shards,
            "frames": small_set.rule,
            "system_prompt": small_set.system_prompt,
            "question": None,
            "inference": InferenceSection(batch_size=5, max_new_tokens=12, workers=0),
            "row_store": output / "rows.db",
            "output": output,
        }
        return InferenceRequest(**(fields | changes))

    return build


@pytest.fixture(scope="session")
def answered(inference_request, tmp_path_factory):
    """Reply, rows and events of an inference over the test split."""
    from videoguard.inference.infer import ROWS, infer
    from videoguard.inference.rows import read_rows

    folder = tmp_path_factory.mktemp("answers")
    events: list[dict[str, object]] = []
    reply = infer(inference_request(folder), events.append)
    return reply, read_rows(folder / ROWS), events
