"""Models asked about a clip: what `/v1/predict`, `/v1/chat/completions` and `/v1/timeline/generate` have in common."""

import asyncio
import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from videoguard.dataset.messages import Message
from videoguard.errors import UserError
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import decode_frames
from videoguard.frames.workers import EncodedVideo
from videoguard.inference.rows import AnswerRow
from videoguard.inference.structured.answers import JsonAnswers
from videoguard.inference.views import ONE_LOOK, Looks, View, window_times
from videoguard.manifests.labels import parse_json
from videoguard.manifests.sample import Sample, Scalar
from videoguard.models.media import TimedFrames
from videoguard.prediction.questions import ask as fill_prompts
from videoguard.serving.asking import Ask, Reply
from videoguard.serving.catalogue import ServedModel
from videoguard.serving.clips import Clip
from videoguard.serving.problems import ProblemError
from videoguard.serving.schemas import Frame, ModelAnswer, VideoFacts
from videoguard.serving.service import Service, life_of, outcome_of, refused, service_of

_PREFIX = {b"\x89PNG": "image/png"}
_MOST_WINDOWS = 64


@dataclass(frozen=True)
class Wanted:
    """What a request wants of each model."""

    question: str | None = None
    fields: Mapping[str, Scalar] = field(default_factory=dict)
    frames: int | None = None
    max_new_tokens: int = 256
    json: JsonAnswers | None = None
    labels: bool = False
    looks: Looks = ONE_LOOK
    """Windows of a long video."""


def rule_for(model: ServedModel, frames: int | None, settings_most: int) -> FrameRule:
    """How a model samples a video.

    Raises:
        ProblemError: another number of frames is wanted than its adapter was trained with, or too many.
    """
    record = model.asked.record
    if frames is None or frames == record.frames:
        return record.frame_rule()
    if model.asked.adapter is not None:
        raise ProblemError(
            422, "frames", frames, f"{model.name} was trained with {record.frames} frames of a video",
            "leave it out, or ask a base model",
        )  # fmt: skip
    if frames > settings_most:
        raise ProblemError(422, "frames", frames, f"a request may want {settings_most} (--max-sampled)", "want fewer")
    return record.model_copy(update={"frames": frames}).frame_rule()


def messages_for(model: ServedModel, wanted: Wanted, clip: Clip | None) -> Sequence[Message]:
    """The conversation that a model is shown, in the words of its training.

    Raises:
        ProblemError: there is no question, or a value lacks that its prompts name, or it reads no video.
    """
    record = model.asked.record
    if record.text_only and clip is not None:
        raise ProblemError(422, "the video", "given", f"{model.name} reads text alone", "leave it out, or ask another model")
    if not record.text_only and clip is None:
        raise ProblemError(422, "the video", None, f"{model.name} looks at videos", "give `video`, `path` or `url`")
    if not wanted.question and record.question is None:
        raise ProblemError(422, "question", None, f"{model.name} was trained on the questions of its manifest", "ask one")
    name = None if clip is None else clip.name
    sample = Sample(id=name or "the request", root=Path(), question="", answer=None, video=name, fields=dict(wanted.fields))
    try:
        (question,) = fill_prompts([sample], record, wanted.question or None)
    except UserError as refusal:
        raise refused(refusal, "the question") from None
    return question.messages


async def ask_all(
    request: Request, models: Sequence[ServedModel], wanted: Wanted, clip: Clip | None
) -> tuple[list[ModelAnswer], EncodedVideo | None]:
    """What models say, in their order, and what the first of them saw.

    A clip is decoded once for all models that sample it alike. One that cannot answer beside others gets its reason.

    Raises:
        ProblemError: the video cannot be decoded, or no model can answer.
    """
    service, life = service_of(request), life_of(request)
    conversations = [messages_for(model, wanted, clip) for model in models]
    rules = [_windowed(rule_for(model, wanted.frames, service.settings.max_sampled), wanted.looks) for model in models]
    seen: dict[FrameRule, EncodedVideo] = {}
    if clip is not None:
        different = list(dict.fromkeys(rules))
        decoded = await asyncio.gather(*(service.decoder.decode(clip.path, rule) for rule in different))
        seen = dict(zip(different, decoded, strict=True))
    life.facts |= {"models": [model.name for model in models], "versions": [model.version for model in models]}
    asked = [
        _ask_one_or_look(service, model, conversation, seen.get(rule), wanted)
        for model, conversation, rule in zip(models, conversations, rules, strict=True)
    ]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    problems = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if len(problems) == len(outcomes):
        raise problems[0]
    answers: list[ModelAnswer] = []
    for model, outcome in zip(models, outcomes, strict=True):
        if isinstance(outcome, ModelAnswer):
            answers.append(outcome)
        elif isinstance(outcome, ProblemError):
            error = f"{outcome.thing}: {outcome.rule}"
            answers.append(ModelAnswer(model=model.name, version=model.version, status="failed", answer=None, error=error))
        else:
            raise outcome
    return answers, seen.get(rules[0])


async def ask_one(
    service: Service,
    model: ServedModel,
    messages: Sequence[Message],
    seen: EncodedVideo | None,
    wanted: Wanted,
    on_text: Callable[[str], None] | None = None,
) -> ModelAnswer:
    """What one model says.

    Raises:
        ProblemError: it cannot answer.
    """
    began = monotonic()
    shown = None if seen is None else await run_in_threadpool(as_timed_frames, seen)
    ask = Ask(model.asked.adapter, messages, shown, wanted.max_new_tokens, wanted.json, wanted.labels, on_text)
    try:
        reply = await outcome_of(model.base.ask(ask), f"the question to {model.name}")
    except BaseException:
        service.counters.answers.labels(model.name, "failed").inc()
        raise
    finally:
        # Also where the time is over, or the client has gone.
        ask.cancelled.set()
    service.counters.answers.labels(model.name, "ok").inc()
    service.counters.tokens.labels(model.name).inc(reply.new_tokens)
    return _answer(model, reply, wanted, messages, monotonic() - began)


async def _ask_one_or_look(
    service: Service, model: ServedModel, messages: Sequence[Message], seen: EncodedVideo | None, wanted: Wanted
) -> ModelAnswer:
    if wanted.looks.is_one or seen is None:
        return await ask_one(service, model, messages, seen, wanted)
    return await _look(service, model, messages, seen, wanted)


async def _look(
    service: Service, model: ServedModel, messages: Sequence[Message], seen: EncodedVideo, wanted: Wanted
) -> ModelAnswer:
    """One answer out of those to the windows of a video, merged as `video-guard predict` merges them."""
    window = wanted.frames or model.asked.record.frames
    if len(seen.frames) >= _MOST_WINDOWS * window:
        raise ProblemError(
            422, "window", _MOST_WINDOWS, "a video may be cut into fewer windows than that", "take longer windows"
        )
    views = wanted.looks.views(len(seen.frames), window, "")
    times = np.asarray(seen.timestamps_s, dtype=np.float64)
    parts = [_part(seen, copies[0]) for copies in views]
    answers = await asyncio.gather(*(ask_one(service, model, messages, part, wanted) for part in parts))
    rows = [[_row_of(answer)] for answer in answers]
    merged = wanted.looks.merge_rows(rows, window_times(times, views))
    mean = merged.mean_token_logprob
    return answers[0].model_copy(
        update={
            "answer": merged.answer,
            "generated": merged.generated,
            "parsed": None if wanted.json is None else parse_json(merged.answer or ""),
            "mean_token_logprob": mean,
            "confidence": None if mean is None else round(math.exp(mean), 4),
            "label": merged.predicted_label,
            "label_probability": merged.label_probability,
            "label_probabilities": None,
            "prompt_tokens": sum(answer.prompt_tokens or 0 for answer in answers),
            "new_tokens": sum(answer.new_tokens or 0 for answer in answers),
            "ended": all(answer.ended for answer in answers),
            "seconds": max(answer.seconds or 0.0 for answer in answers),
        }
    )


def _part(seen: EncodedVideo, view: View) -> EncodedVideo:
    """A window as a video of its own, whose times begin with it."""
    frames, times = seen.frames[view.start : view.stop], seen.timestamps_s[view.start : view.stop]
    return replace(seen, frames=frames, timestamps_s=[time - times[0] for time in times] if view.start else times)


def _windowed(rule: FrameRule, looks: Looks) -> FrameRule:
    """How the whole video is sampled; so many frames at most that too many windows show."""
    return rule if looks.is_one else replace(looks.rule(rule), count=_MOST_WINDOWS * rule.count)


def _row_of(answer: ModelAnswer) -> AnswerRow:
    return AnswerRow(
        id="", video=None, group="", label=None, question=answer.question or "", reference="", status="ok",
        answer=answer.answer, generated=answer.generated, mean_token_logprob=answer.mean_token_logprob,
        predicted_label=answer.label, label_probability=answer.label_probability, new_tokens=answer.new_tokens,
        latency_s=answer.seconds,
    )  # fmt: skip


def as_timed_frames(seen: EncodedVideo) -> TimedFrames:
    """Stored frames as a model sees them."""
    return TimedFrames(decode_frames(seen.frames), np.asarray(seen.timestamps_s, dtype=np.float64))


def facts_of(clip: Clip, seen: EncodedVideo) -> VideoFacts:
    """What is told of a video."""
    return VideoFacts(
        name=clip.name,
        sha256=clip.sha256,
        bytes=clip.size,
        width=seen.source_width,
        height=seen.source_height,
        fps=round(seen.source_fps, 3),
        duration_s=round(seen.duration_s, 3),
        frames=seen.source_frames,
    )


def frames_of(seen: EncodedVideo) -> list[Frame]:
    """The frames that a model saw, as a page shows them."""
    return [
        Frame(time_s=round(time, 3), image=_data_url(image), width=seen.width, height=seen.height)
        for time, image in zip(seen.timestamps_s, seen.frames, strict=True)
    ]


def _data_url(image: bytes) -> str:
    kind = _PREFIX.get(image[:4], "image/jpeg")
    return f"data:{kind};base64,{base64.b64encode(image).decode('ascii')}"


def _answer(model: ServedModel, reply: Reply, wanted: Wanted, messages: Sequence[Message], seconds: float) -> ModelAnswer:
    mean, chances = reply.mean_token_logprob, reply.label_probabilities
    return ModelAnswer(
        model=model.name,
        version=model.version,
        status="ok",
        answer=reply.answer,
        generated=reply.generated,
        parsed=None if wanted.json is None else parse_json(reply.answer),
        mean_token_logprob=mean,
        confidence=None if mean is None else round(math.exp(mean), 4),
        label=reply.label,
        label_probability=None if chances is None or reply.label is None else chances[reply.label],
        label_probabilities=None if chances is None else dict(chances),
        prompt_tokens=reply.prompt_tokens,
        new_tokens=reply.new_tokens,
        ended=reply.ended,
        question=_question_in(messages),
        seconds=round(seconds, 3),
    )


def _question_in(messages: Sequence[Message]) -> str:
    return "\n".join(part.get("text") or "" for part in messages[-1]["content"] if part["type"] == "text")
