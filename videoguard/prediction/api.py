"""A model in a notebook: `load_model("models:/video-guard/1").predict(["clip.mp4"])`."""

from pathlib import Path

from videoguard.config import RegistrySection
from videoguard.inference.engine import Engine
from videoguard.inference.predictor import Predictor
from videoguard.inference.shared_base import SharedBase
from videoguard.prediction.models import find_models

STATE = Path(".video-guard")


def load_model(
    name: str,
    *,
    base: str | None = None,
    frames: int | None = None,
    dtype: str | None = None,
    device: str = "auto",
    batch_size: int = 32,
    state: Path = STATE,
    tracking_uri: str | None = None,
) -> Predictor:
    """A model that answers about video files.

    Args:
        name: `models:/NAME/VERSION`, `models:/NAME@ALIAS`, the folder of an adapter, or a base model.
        base: folder or hub name in place of the base that an adapter names.
        frames: frames taken of a video, where a base model is asked.
        dtype: number format of the weights; when None that of the recipe of a registered version, bfloat16 for a base
            model on a GPU that computes in it, else float32.
        device: `auto`, `cuda`, `mps` or `cpu`.
        batch_size: answers written at a time.
        state: state folder of the runs, where MLflow's database is.
        tracking_uri: MLflow server or database, where it is not in the state folder.

    Raises:
        UserError: there is no such model, or base and adapter do not fit each other.
        UnavailableError: MLflow does not answer.
    """
    uri = RegistrySection(tracking_uri=tracking_uri).uri(state)
    (found,) = find_models([name], uri, base=base, frames=frames, dtype=dtype, device=device)
    shared = SharedBase(found.base, device=device, **found.loaded)
    with shared.using(found.adapter) as model:
        engine = Engine(model, shared.preprocessor, batch_size)
    return Predictor(engine, shared.preprocessor, found.record)


def predict_video(model: Predictor | str, video: Path | str, question: str | None = None, max_new_tokens: int = 256) -> str:
    """What a model says about one video.

    Args:
        model: loaded, or the name of one, which is then loaded for this one video.
        video: its file.
        question: asked in place of the question of the training.
        max_new_tokens: longest answer.

    Raises:
        VideoError: the video cannot be answered; the message tells why.
        UserError: as of `load_model`, or no question is given and the model was trained on more than one.
    """
    loaded = load_model(model) if isinstance(model, str) else model
    (answer,) = loaded.predict([Path(video)], question, max_new_tokens)
    if answer.answer is None:
        raise VideoError(f"{video}: {answer.error}")
    return answer.answer


class VideoError(Exception):
    """A video that has no answer."""
