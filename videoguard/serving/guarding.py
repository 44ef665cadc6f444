"""`POST /v1/guard`: a video judged frame by frame, told as it is decided (server-sent events) or at the end (JSON)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Form, Request
from fastapi.responses import StreamingResponse
from peft import PeftModel
from transformers import PreTrainedModel

from videoguard.dataset.messages import PromptTemplates
from videoguard.errors import UserError
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import decode_frames
from videoguard.frames.streaming import read_at_rate
from videoguard.frames.workers import EncodedVideo
from videoguard.inference.guard.guard import GuardSettings, Response, StreamingGuard
from videoguard.inference.guard.trace import THRESHOLD, Alarm, ClipTrace, FrameDecision, alarms_of
from videoguard.inference.guard.watching import PLAIN_RULE
from videoguard.manifests.formats.guard_categories import CATEGORIES, QUESTION
from videoguard.models.media import Pictures
from videoguard.models.preprocessing import Preprocessor
from videoguard.serving.answering import facts_of
from videoguard.serving.asking import Watching
from videoguard.serving.catalogue import BASE, ServedModel
from videoguard.serving.events import HEADERS, MEDIA_TYPE, SCHEMA, event
from videoguard.serving.predicting import PathField, UrlField, Video, find_models
from videoguard.serving.problems import ProblemError, internal, replaced, timed_out
from videoguard.serving.schemas import Told, VideoFacts
from videoguard.serving.service import Service, in_time, life_of, refused, service_of
from videoguard.serving.waiting import ClosedError

router = APIRouter(tags=["guard"])


class GuardClip(Told):
    """A clip that is over."""

    start: float
    """Seconds from the beginning of the video, of its first frame."""
    end: float
    """Of its last frame."""
    labels: list[str]
    summary: str | None


class Verdict(Told):
    """The answer at the end."""

    text: str
    description: str | None
    labels: list[str] | None
    """None where its guardrail cannot be read."""


class Judged(Told):
    """A video that was judged to its end."""

    request: str
    model: str
    version: str | None
    video: VideoFacts
    categories: dict[str, str]
    thresholds: dict[str, float]
    fps: float
    frames: list[FrameDecision]
    clips: list[GuardClip]
    alarms: list[Alarm]
    verdict: Verdict
    seconds: float


@dataclass(frozen=True)
class _Stream:
    """A video that is judged, and its events as they come from the thread of the model."""

    model: ServedModel
    seen: EncodedVideo
    thresholds: Mapping[str, float]
    clip_frames: int

    def begin(self, service: Service) -> tuple[Watching, "asyncio.Queue[object]"]:
        """Begin to judge."""
        loop, events = asyncio.get_running_loop(), asyncio.Queue[object]()

        def tell(event: object) -> None:
            # The loop is gone where the service was ended by force.
            if not loop.is_closed():
                loop.call_soon_threadsafe(events.put_nowait, event)

        settings = self._settings()

        def guard(model: PreTrainedModel | PeftModel, preprocessor: Preprocessor) -> StreamingGuard:
            return StreamingGuard(model, preprocessor, settings)

        watching = Watching(self.model.asked.adapter, self._events, guard, tell)
        watching.done.add_done_callback(lambda done: tell(done.exception()))
        self.model.base.watch(watching)
        return watching, events

    def _settings(self) -> GuardSettings:
        record = self.model.asked.record
        templates = PromptTemplates(record.system_prompt, record.question)
        values = {"question": QUESTION}
        if lacking := templates.lacking(values):
            rule = f"its prompts name {', '.join(lacking)}"
            raise ProblemError(422, "model", self.model.name, rule, "ask a model that was trained as a guard")
        prompt = templates.fill(values)
        return GuardSettings(prompt.question, prompt.system, self.thresholds, self.clip_frames)

    def _events(self, guard: StreamingGuard) -> Iterator[object]:
        before: tuple[str, ...] = ()
        for seen in guard.watch(self._pictures()):
            yield seen
            if isinstance(seen, FrameDecision):
                yield from alarms_of([seen], before)
                before = seen.raised
        yield guard.respond()

    def _pictures(self) -> Iterator[tuple[float, Pictures]]:
        for time, image in zip(self.seen.timestamps_s, self.seen.frames, strict=True):
            yield time, np.ascontiguousarray(decode_frames([image]))


@router.post(
    "/v1/guard",
    summary="Judge a video as a stream",
    response_model=Judged,
    responses={200: {"content": {MEDIA_TYPE: {"schema": SCHEMA, "example": 'event: alarm\ndata: {"category": "C3"}\n\n'}}}},
)
async def guard(
    request: Request,
    video: Video = None,
    path: PathField = None,
    url: UrlField = None,
    model: Annotated[str | None, Form(description="One with `can_guard`; the first model where absent.")] = None,
    fps: Annotated[float, Form(ge=0.01, le=30, description="Frames that are judged, a second.")] = 1.0,
    clip_frames: Annotated[int, Form(ge=1, le=1000, description="Frames of a clip, which is then summed up.")] = 8,
    thresholds: Annotated[
        str | None,
        Form(
            description="JSON object of the probability from which on a category raises an alarm.",
            examples=['{"C3": 0.6}'],
            max_length=1000,
        ),
    ] = None,
    reply: Annotated[
        Literal["events", "json"],
        Form(description="Tell each decision as it is made (server-sent events), or all at the end."),
    ] = "events",
) -> Judged | StreamingResponse:
    """As `video-guard guard` judges it: same frames, decisions, clips and answer.

    Events: `begin` (video, categories, thresholds), `frame`, `alarm`, `clip`, `verdict`, `end`; or `problem`, then no more.
    """
    service, life = service_of(request), life_of(request)
    (asked,) = find_models(service, [model] if model else None)
    if not asked.asked.base.family.streams:
        raise ProblemError(
            422, "model", asked.name, "the guard runs with InternVL models", "name one whose `can_guard` is true"
        )
    limits = _read_thresholds(thresholds)
    life.facts |= {"models": [asked.name], "versions": [asked.version]}
    async with in_time(request), service.uploads.clip(video, path, url) as clip:
        if clip is None:
            raise ProblemError(422, "the video", None, "there must be one", "give `video`, `path` or `url`")
        seen = await service.decoder.decode(clip.path, _rule(asked, fps, service.settings.max_guard_frames), read_at_rate)
        facts = facts_of(clip, seen)
    shown = {**dict.fromkeys(CATEGORIES, THRESHOLD), **limits}
    began = {
        "request": life.request_id,
        "model": asked.name,
        "version": asked.version,
        "video": facts,
        "categories": CATEGORIES,
        "thresholds": shown,
        "fps": fps,
    }
    judging = _Stream(asked, seen, limits, clip_frames)
    watching, events = judging.begin(service)
    told = _tell(request, judging, watching, events)
    if reply == "events":
        return StreamingResponse(_as_events(request, began, told), media_type=MEDIA_TYPE, headers=HEADERS)
    found: dict[str, list[Any]] = {name: [] for name in ("frame", "clip", "alarm", "verdict")}
    at = monotonic()
    async for name, content in told:
        found[name].append(content)
    return Judged.model_validate(
        {
            **began,
            "frames": found["frame"],
            "clips": found["clip"],
            "alarms": found["alarm"],
            "verdict": found["verdict"][0],
            "seconds": round(monotonic() - at, 3),
        }
    )


async def _as_events(
    request: Request, began: Mapping[str, object], told: AsyncIterator[tuple[str, object]]
) -> AsyncIterator[str]:
    at, frames = monotonic(), 0
    try:
        yield _event("begin", began)
        async for name, content in told:
            frames += name == "frame"
            yield _event(name, content)
        yield _event("end", {"frames": frames, "seconds": round(monotonic() - at, 3)})
    except ProblemError as problem:
        yield _event("problem", problem.content(life_of(request).request_id))


async def _tell(
    request: Request, judging: _Stream, watching: Watching, events: "asyncio.Queue[object]"
) -> AsyncIterator[tuple[str, object]]:
    """Name and content of each event, up to the last.

    Raises:
        ProblemError: the model refuses the video, or the time is over.
    """
    service, name = service_of(request), judging.model.name
    try:
        while True:
            try:
                seen = await asyncio.wait_for(events.get(), life_of(request).seconds_left)
            except TimeoutError:
                raise timed_out(service.settings.timeout) from None
            if seen is None:
                return
            _require_going_on(seen, name)
            if isinstance(seen, FrameDecision):
                service.counters.guard_frames.labels(name).inc()
                yield "frame", seen
            elif isinstance(seen, Alarm):
                service.counters.alarms.labels(name, seen.category).inc()
                yield "alarm", seen
            elif isinstance(seen, ClipTrace):
                start, end = seen.frames[0].time, seen.frames[-1].time
                yield "clip", GuardClip(start=start, end=end, labels=list(seen.labels), summary=seen.summary)
            elif isinstance(seen, Response):
                verdict = seen.verdict
                labels = None if verdict.labels is None else list(verdict.labels)
                yield "verdict", Verdict(text=seen.text, description=verdict.description, labels=labels)
    finally:
        # Also where the client has gone.
        watching.cancelled.set()


def _require_going_on(seen: object, name: str) -> None:
    """Raise the problem of a stream that has ended before its end."""
    if isinstance(seen, UserError):
        raise refused(seen, f"the guard of {name}")
    if isinstance(seen, ClosedError):
        raise replaced()
    if isinstance(seen, BaseException):
        raise internal()


def _rule(model: ServedModel, fps: float, most: int) -> FrameRule:
    """Size and codec of the frames: those of the training; of a base model as `video-guard guard` has it."""
    record = model.asked.record
    plain = model.asked.adapter is None and not model.name.endswith(BASE)
    return replace(PLAIN_RULE if plain else record.frame_rule(), sampling="fps", fps=fps, stride=None, count=most)


def _event(name: str, content: object) -> str:
    told = content if isinstance(content, Mapping) else None
    plain = {key: _plain(value) for key, value in told.items()} if told is not None else _plain(content)
    return event(name, plain)


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, (Told, FrameDecision, Alarm)) else value


def _read_thresholds(text: str | None) -> dict[str, float]:
    if not text:
        return {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    sound = isinstance(values, dict) and all(
        code in CATEGORIES and isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1
        for code, value in values.items()
    )
    if not sound:
        rule = f"it must be a JSON object of {', '.join(CATEGORIES)} and probabilities above 0, at most 1"
        raise ProblemError(422, "thresholds", text, rule, 'write {"C3": 0.6}')
    return {code: float(value) for code, value in values.items()}
