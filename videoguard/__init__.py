"""Fine-tuning video-language models on private video, and evaluating them every night.

Everything in this package works without Prefect: a notebook, the server and a cluster worker call the same functions that
the tasks of the flow call.

    from videoguard import load_model
    model = load_model("models:/video-guard/1")
    print(model.predict([Path("clip.mp4")])[0].answer)
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Callable[..., Any]:
    """`load_model` and `predict_video`, imported when they are asked for: loading PyTorch takes seconds."""
    if name in {"load_model", "predict_video"}:
        found: Callable[..., Any] = getattr(import_module("videoguard.prediction.api"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
