"""Requests and answers of the API, as its OpenAPI document describes them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_MODEL = "models:/video-guard@champion"


class Told(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Problem(Told):
    """Why a request has no answer (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    """The whole of it in one line."""
    thing: str
    """What is wrong."""
    value: str
    """What it is."""
    rule: str
    """What it must be."""
    mend: str
    """What can be done."""
    request: str
    """Number of the request, as in the audit log."""
    problems: list[dict[str, str]] | None = None
    """Where several things are wrong: each with thing, value and rule."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "the video is not decodable: it is not a video file: it must be …",
                    "thing": "the video",
                    "value": "not decodable: it is not a video file",
                    "rule": "it must be a video file that can be decoded within the limits",
                    "mend": "check that it plays, and send it whole",
                    "request": "5e0c6f0d4f0b4a55a0c8a7a1d2f3b4c5",
                }
            ]
        }
    )


class Health(Told):
    """Whether the process answers, or is ready for work."""

    status: Literal["ok", "ready", "not ready"]


class ModelCard(Told):
    """A model that can be asked."""

    id: str
    """What a request names it by."""
    object: Literal["model"] = "model"
    created: int
    """When it was loaded, seconds since 1970."""
    owned_by: Literal["video-guard"] = "video-guard"
    version: str | None
    """Number of the registered version that an alias stands for now."""
    base: str
    """The base model below it."""
    family: str
    is_adapter: bool
    reads: Literal["video", "text"]
    frames: int | None
    """Frames that it sees of a video; None where it reads text alone."""
    frames_are_free: bool
    """Whether a request may name another number."""
    question: str | None
    """The question of its training, asked where a request has none."""
    can_guard: bool
    """Whether it can judge a stream."""
    problem: str | None
    """Why a newer version of its alias is not served."""


class Models(Told):
    """The models that can be asked; the first one answers where none is named."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
    labels: list[str]
    """Labels that are scored where a request wants that."""
    aliases_checked: str | None
    """When MLflow last told where aliases point (ISO 8601)."""


class VideoFacts(Told):
    """What was looked at."""

    name: str
    sha256: str
    bytes: int
    width: int
    """Pixels, upright."""
    height: int
    fps: float
    duration_s: float
    frames: int
    """Of the file."""


class Frame(Told):
    """A frame as the model sees it."""

    time_s: float
    """Seconds from the beginning of the video."""
    image: str
    """`data:image/jpeg;base64,…` or `data:image/png;base64,…`"""
    width: int
    height: int


class ModelAnswer(Told):
    """What one model says."""

    model: str
    version: str | None
    status: Literal["ok", "failed"]
    answer: str | None
    error: str | None = None
    """Why it has no answer."""
    generated: str | None = None
    """What the model wrote, where broken JSON was mended."""
    parsed: Any = None
    """The JSON value of the answer, where JSON was wanted and it is some."""
    mean_token_logprob: float | None = None
    confidence: float | None = None
    """Geometric mean of the probabilities of its tokens."""
    label: str | None = None
    """The likeliest of the known labels, scored and not parsed from the answer."""
    label_probability: float | None = None
    label_probabilities: dict[str, float] | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    ended: bool | None = None
    """False where the answer was cut off at its longest length."""
    question: str | None = None
    """What it was asked."""
    seconds: float | None = None
    """From the prompt to the answer, waiting included."""


class Prediction(Told):
    """What models say about one video."""

    request: str
    video: VideoFacts | None
    """None where nothing was shown."""
    answers: list[ModelAnswer]
    """In the order in which the models were named."""
    frames: list[Frame] | None = None
    """Those that the first model saw, where the request wants them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "request": "5e0c6f0d4f0b4a55a0c8a7a1d2f3b4c5",
                    "video": {
                        "name": "clip.mp4", "sha256": "9f2c…", "bytes": 20113, "width": 128, "height": 128,
                        "fps": 12.0, "duration_s": 2.0, "frames": 24,
                    },
                    "answers": [
                        {
                            "model": EXAMPLE_MODEL, "version": "1", "status": "ok",
                            "answer": "push-up - lift the hips in line", "mean_token_logprob": -0.0021,
                            "confidence": 0.9979, "new_tokens": 9, "ended": True, "seconds": 0.21,
                        }
                    ],
                    "frames": None,
                }
            ]
        }
    )  # fmt: skip


Tokens = Annotated[int, Field(ge=1, le=1_000_000)]
