"""`POST /v1/predict` and `POST /v1/frames`: a video, a question, and what models say or see."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile

from videoguard.dataset.answer_schema import load_answer_schema
from videoguard.errors import UserError
from videoguard.inference.structured.answers import JsonAnswers
from videoguard.inference.structured.schemas import require_grammar
from videoguard.inference.views import ONE_LOOK, Looks, Merge, Windows
from videoguard.manifests.sample import Scalar
from videoguard.serving.answering import Wanted, ask_all, facts_of, frames_of, rule_for
from videoguard.serving.catalogue import ServedModel
from videoguard.serving.problems import ProblemError
from videoguard.serving.schemas import EXAMPLE_MODEL, Frame, Prediction, Told, VideoFacts
from videoguard.serving.service import Service, in_time, life_of, refused, service_of

router = APIRouter(tags=["videos"])
_MOST_MODELS = 8
_LONGEST_QUESTION = 20_000

Video = Annotated[UploadFile | None, File(description="The video itself.")]
PathField = Annotated[str | None, Form(description="Or a path below a folder that the service allows.", max_length=4096)]
UrlField = Annotated[str | None, Form(description="Or a URL at a host that the service allows.", max_length=4096)]
ModelField = Annotated[
    list[str] | None,
    Form(description="A model of `GET /v1/models`; given several times, all answer. The first one where absent.",
         examples=[[EXAMPLE_MODEL, f"{EXAMPLE_MODEL}#base"]]),
]  # fmt: skip
FramesField = Annotated[int | None, Form(ge=1, le=10_000, description="Frames taken of the video; of a base model alone.")]


class SampledFrames(Told):
    """The frames that a model would see."""

    request: str
    model: str
    video: VideoFacts
    frames: list[Frame]


@router.post("/v1/predict", summary="Ask models about a video")
async def predict(
    request: Request,
    video: Video = None,
    path: PathField = None,
    url: UrlField = None,
    question: Annotated[
        str | None,
        Form(
            description="In place of the question of the training.",
            examples=["Which exercise is this?"],
            max_length=_LONGEST_QUESTION,
        ),
    ] = None,
    model: ModelField = None,
    frames: FramesField = None,
    max_new_tokens: Annotated[int, Form(ge=1, le=1_000_000, description="Longest answer, tokens.")] = 256,
    answer_format: Annotated[
        Literal["text", "json"], Form(description="`json` ends an answer with its value, and mends broken JSON.")
    ] = "text",
    json_schema: Annotated[
        str | None, Form(description="JSON Schema of the answer, with `answer_format=json`.", max_length=200_000)
    ] = None,
    constrained: Annotated[bool, Form(description="Hold the answer to the schema while it is generated.")] = False,
    fields: Annotated[
        str | None, Form(description="JSON object of values that the prompts of the training name.", max_length=200_000)
    ] = None,
    window: Annotated[
        float | None, Form(ge=0.05, le=86400, description="Cut a long video into windows of so many seconds.")
    ] = None,
    overlap: Annotated[float, Form(ge=0, le=86400, description="Seconds that two windows have in common.")] = 0.0,
    merge: Annotated[
        Literal["vote", "distinct", "timeline"], Form(description="What becomes of the answers to the windows.")
    ] = "vote",
    label_scores: Annotated[bool, Form(description="Tell how likely each known label is (needs `--labels`).")] = False,
    show_frames: Annotated[bool, Form(description="Send the frames that the first model saw.")] = False,
) -> Prediction:
    """Each model sees the video as in its training, and answers as `video-guard predict` has it."""
    service = service_of(request)
    models = find_models(service, model)
    if label_scores and merge != "vote":
        raise ProblemError(422, "merge", merge, "only `vote` leaves one label to score", "leave `label_scores` out")
    wanted = Wanted(
        question=question,
        fields=_read_fields(fields),
        frames=frames,
        max_new_tokens=require_length(service, max_new_tokens),
        json=read_json_answers(answer_format, json_schema, constrained=constrained),
        labels=require_labels(service, wanted=label_scores),
        looks=read_looks(window, overlap, merge),
    )
    async with in_time(request), service.uploads.clip(video, path, url) as clip:
        answers, seen = await ask_all(request, models, wanted, clip)
        facts = None if clip is None or seen is None else facts_of(clip, seen)
    shown = frames_of(seen) if show_frames and seen is not None else None
    return Prediction(request=life_of(request).request_id, video=facts, answers=answers, frames=shown)


@router.post("/v1/frames", summary="See the frames that a model would see")
async def frames(
    request: Request,
    video: Video = None,
    path: PathField = None,
    url: UrlField = None,
    model: Annotated[str | None, Form(description="A model of `GET /v1/models`; the first one where absent.")] = None,
    frames: FramesField = None,
) -> SampledFrames:
    """The video is decoded and sampled as for `/v1/predict`; no model is asked."""
    service = service_of(request)
    (asked,) = find_models(service, [model] if model else None)
    async with in_time(request), service.uploads.clip(video, path, url) as clip:
        if clip is None:
            raise ProblemError(422, "the video", None, "there must be one", "give `video`, `path` or `url`")
        rule = rule_for(asked, frames, service.settings.max_sampled)
        seen = await service.decoder.decode(clip.path, rule)
        facts = facts_of(clip, seen)
    return SampledFrames(request=life_of(request).request_id, model=asked.name, video=facts, frames=frames_of(seen))


def find_models(service: Service, names: Sequence[str] | None) -> list[ServedModel]:
    """The models that a request names, each once.

    Raises:
        ProblemError: one is not served, or there are too many.
    """
    wanted = [name for name in names or () if name]
    if len(wanted) > _MOST_MODELS or len(set(wanted)) < len(wanted):
        rule = f"each may be named once, and {_MOST_MODELS} at most"
        raise ProblemError(422, "model", ", ".join(wanted), rule, "name fewer")
    return [service.catalogue.find(name) for name in wanted] or [service.catalogue.find(None)]


def require_length(service: Service, tokens: int) -> int:
    """The longest answer, where it is not too long for the service."""
    most = service.settings.max_new_tokens
    if tokens > most:
        raise ProblemError(422, "max_new_tokens", tokens, f"an answer may have {most} (--max-new-tokens)", "want fewer")
    return tokens


def read_looks(window: float | None, overlap: float, merge: Merge) -> Looks:
    """How a long video is cut.

    Raises:
        ProblemError: what is said of windows does not go together.
    """
    if window is None:
        if overlap or merge != "vote":
            raise ProblemError(422, "window", None, "`overlap` and `merge` say how windows are cut and merged", "give one")
        return ONE_LOOK
    if overlap >= window:
        raise ProblemError(422, "overlap", overlap, f"a window of {window:g} s must be longer", "take less")
    return Looks(Windows(window, overlap), 0, merge)


def require_labels(service: Service, *, wanted: bool) -> bool:
    """Whether labels are scored."""
    if wanted and service.catalogue.labels is None:
        raise ProblemError(
            422, "label_scores", "true", "the service knows no labels", "start it with --labels MANIFEST, or leave it out"
        )
    return wanted


def read_json_answers(form: str, schema: str | dict[str, Any] | None, *, constrained: bool) -> JsonAnswers | None:
    """What a request says of JSON answers; None where they are text.

    Raises:
        ProblemError: what it says does not go together, or its schema is none.
    """
    if form == "text":
        if schema is not None or constrained:
            raise ProblemError(
                422, "answer_format", "text", "`json_schema` and `constrained` go with json", "set it to json"
            )
        return None
    if constrained and schema is None:
        raise ProblemError(422, "json_schema", None, "`constrained` holds answers to it", "give one")
    content = _read_object("json_schema", schema) if isinstance(schema, str) else schema
    try:
        answers = JsonAnswers(load_answer_schema(content), constrained)
        if constrained:
            require_grammar(answers.schema.content)
    except UserError as refusal:
        raise refused(refusal, "json_schema") from None
    return answers


def _read_object(thing: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ProblemError(422, thing, text, "it must be a JSON object", "mend it")
    return value


def _read_fields(text: str | None) -> dict[str, Scalar]:
    if not text:
        return {}
    values = _read_object("fields", text)
    if not all(isinstance(value, (str, int, float)) for value in values.values()):
        raise ProblemError(422, "fields", text, "its values must be texts, numbers or booleans", "mend it")
    return values
