"""`POST /v1/timeline/generate`: what fans wrote during windows of a game in, a timeline with their sentiment out."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.inference.structured.answers import JsonAnswers
from videoguard.manifests.labels import parse_json
from videoguard.serving.answering import Wanted, ask_one, messages_for
from videoguard.serving.predicting import require_length
from videoguard.serving.schemas import Told
from videoguard.serving.service import in_time, life_of, service_of

router = APIRouter(tags=["timeline"])
INSTRUCTION = (
    "You are a sports timeline generator. Given fan comments from a game thread, create a concise event summary "
    "with sentiment."
)
"""As the published pairs have it."""
_MOST_WINDOWS, _MOST_COMMENTS = 64, 500
SCHEMA = AnswerSchema(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["timeline"],
        "properties": {
            "timeline": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["ts", "event", "fan_sentiment"],
                    "properties": {
                        "ts": {"type": "string", "pattern": "^(Q[1-4]|OT[1-9]) [0-9]{2}:[0-9]{2}$"},
                        "event": {"type": "string", "minLength": 1},
                        "fan_sentiment": {"enum": ["pos", "neg", "mixed"]},
                    },
                },
            }
        },
    }
)
"""The same as `configs/schemas/timeline.json`."""


class Window(BaseModel):
    """A window of a game, and what was written in it."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    quarter: str = Field(max_length=20, examples=["Q1"])
    window: str = Field(max_length=20, examples=["11:59"])
    """Game clock."""
    score_before: str = Field("0-0", max_length=20)
    score_after: str = Field("0-0", max_length=20)
    comments: list[str] = Field(min_length=1, max_length=_MOST_COMMENTS, examples=[["What a dunk!", "Let's go GSW!"]])


class TimelineRequest(BaseModel):
    """Windows of a game, in their order."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "game_id": "2022-12-25-MEM-GSW",
                    "windows": [
                        {
                            "quarter": "Q1", "window": "11:59", "score_before": "0-0", "score_after": "3-0",
                            "comments": ["Let's get this W!", "What a dunk!"],
                        }
                    ],
                }
            ]
        },
    )  # fmt: skip

    game_id: str = Field(max_length=200)
    windows: list[Window] = Field(min_length=1, max_length=_MOST_WINDOWS)
    model: str | None = None
    """A model of text; the first one where absent."""
    instruction: str = Field(INSTRUCTION, max_length=10_000)
    max_new_tokens: int = Field(256, ge=1, le=1_000_000)
    """Of each window."""
    constrained: bool = True
    """Whether answers are held to the schema while they are written."""


class TimelineEntry(Told):
    """Something that happened."""

    ts: str
    event: str
    fan_sentiment: Literal["pos", "neg", "mixed"]


_ENTRIES = TypeAdapter(list[TimelineEntry])


class WindowProblem(Told):
    """A window whose answer is no timeline."""

    window: int
    """Its number, from 0."""
    problem: str
    answer: str


class Timeline(Told):
    """What happened in all windows, in their order."""

    request: str
    model: str
    version: str | None
    timeline: list[TimelineEntry]
    problems: list[WindowProblem]
    """Windows that have no entries, each with what was answered."""


@router.post("/v1/timeline/generate", summary="A timeline out of fan comments")
async def generate(request: Request, body: TimelineRequest) -> Timeline:
    """Each window is asked in the words of the published training pairs; the windows are answered side by side.

    A timeline of a video comes from `/v1/predict` with `window` and `merge=timeline`.
    """
    service, life = service_of(request), life_of(request)
    model = service.catalogue.find(body.model)
    wanted = Wanted(max_new_tokens=require_length(service, body.max_new_tokens), json=JsonAnswers(SCHEMA, body.constrained))
    questions = [f"{body.instruction}\n{window_text(body.game_id, window)}" for window in body.windows]
    conversations = [
        messages_for(model, Wanted(question=question, max_new_tokens=wanted.max_new_tokens), None) for question in questions
    ]
    life.facts |= {"models": [model.name], "versions": [model.version], "windows": len(body.windows)}
    async with in_time(request):
        answers = await asyncio.gather(*(ask_one(service, model, each, None, wanted) for each in conversations))
    entries: list[TimelineEntry] = []
    problems: list[WindowProblem] = []
    for number, answer in enumerate(answers):
        text = answer.answer or ""
        violation, value = SCHEMA.find_violation(text), parse_json(text)
        if violation is None and isinstance(value, dict):
            entries += _ENTRIES.validate_python(value["timeline"])
        else:
            told = "it is no JSON object" if violation is None else violation.detail
            problems.append(WindowProblem(window=number, problem=told, answer=text))
    return Timeline(request=life.request_id, model=model.name, version=model.version, timeline=entries, problems=problems)


def window_text(game_id: str, window: Window) -> str:
    """A window as the published pairs write it."""
    comments = "\n".join(f"• {comment}" for comment in window.comments)
    return (
        f"[CONTEXT]\ngame_id={game_id}\nquarter={window.quarter} window={window.window} "
        f"score_before={window.score_before} score_after={window.score_after}\n\n[COMMENTS]\n{comments}"
    )
