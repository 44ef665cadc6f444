"""A request of OpenAI's form to a conversation for a model, and the frames of what it shows."""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from starlette.concurrency import run_in_threadpool

from videoguard.dataset.messages import Message, Part, PromptTemplates
from videoguard.frames.workers import EncodedVideo
from videoguard.inference.structured.answers import JsonAnswers
from videoguard.manifests.sample import MediaSource
from videoguard.serving.answering import Wanted, rule_for
from videoguard.serving.catalogue import ServedModel
from videoguard.serving.chat_schemas import ChatMessage, ChatRequest, ImagePart, ResponseFormat, TextPart, VideoPart
from videoguard.serving.predicting import read_json_answers, require_length
from videoguard.serving.problems import ProblemError
from videoguard.serving.service import Service

_DATA = re.compile(r"data:(?P<kind>video|image)/(?P<type>[A-Za-z0-9.+-]{1,40})(?:;[^,]{0,100})?;base64,", re.IGNORECASE)
# What a client may send by habit and changes nothing here is ignored; what would change the answer is refused.
_NOT_DONE = ("tools", "functions", "stop", "logprobs", "logit_bias", "audio", "modalities")


@dataclass(frozen=True)
class AskedChat:
    """What a request comes to."""

    model: ServedModel
    messages: Sequence[Message]
    urls: Sequence[str]
    are_images: bool
    wanted: Wanted


def read_chat(service: Service, body: ChatRequest) -> AskedChat:
    """What a request comes to.

    Raises:
        ProblemError: it wants what is not done here, or its conversation cannot be shown.
    """
    extra = body.model_extra or {}
    for name in _NOT_DONE:
        if extra.get(name):
            raise ProblemError(422, name, extra[name], "it is not done here", "leave it out")
    if body.temperature:
        raise ProblemError(422, "temperature", body.temperature, "answers are greedy", "leave it out, or send 0")
    if body.n not in {None, 1}:
        raise ProblemError(422, "n", body.n, "a greedy answer is always the same", "leave it out, or send 1")
    model = service.catalogue.find(body.model)
    if body.messages[-1].role != "user":
        raise ProblemError(422, "messages", body.messages[-1].role, "the last message must be the user's", "add one")
    urls, kinds = _media(body.messages)
    if len(set(kinds)) > 1 or kinds.count("video") > 1:
        raise ProblemError(
            422, "messages", f"{len(kinds)} videos and images", "one video, or images, may be shown", "leave others out"
        )
    record = model.asked.record
    if record.text_only == bool(kinds):
        told = "reads text alone" if record.text_only else "looks at videos"
        mend = "leave out what is shown" if record.text_only else "add a part of the type video_url"
        raise ProblemError(422, "messages", f"{len(kinds)} videos or images", f"{model.name} {told}", mend)
    length = require_length(
        service, body.max_completion_tokens or body.max_tokens or min(256, service.settings.max_new_tokens)
    )
    form = body.response_format
    return AskedChat(
        model,
        _conversation(model, body.messages),
        urls,
        "image" in kinds,
        Wanted(max_new_tokens=length, json=_json(form, streams=body.stream)),
    )


def _json(form: ResponseFormat | None, *, streams: bool) -> JsonAnswers | None:
    if form is None or form.type == "text":
        return None
    schema = None if form.json_schema is None else form.json_schema.schema_
    if form.type == "json_schema" and schema is None:
        raise ProblemError(422, "response_format.json_schema", None, "the answer is held to it", "give one")
    answers = read_json_answers("json", schema, constrained=form.type == "json_schema")
    # What has been sent cannot be mended any more.
    return None if answers is None else replace(answers, repaired=not streams)


def _media(messages: Sequence[ChatMessage]) -> tuple[list[str], list[str]]:
    """URL and kind of all that is shown."""
    found = []
    for message in messages:
        for part in message.content if isinstance(message.content, list) else ():
            if isinstance(part, VideoPart):
                found.append((part.video_url.url, "video"))
            elif isinstance(part, ImagePart):
                found.append((part.image_url.url, "image"))
            if not isinstance(part, TextPart) and message.role != "user":
                raise ProblemError(422, "messages", message.role, "only a user's message shows something", "move it there")
    return [url for url, _ in found], [kind for _, kind in found]


def _conversation(model: ServedModel, messages: Sequence[ChatMessage]) -> list[Message]:
    told = [Message(role=message.role, content=_parts(message)) for message in messages]
    if any(message.role == "system" for message in messages[1:]):
        raise ProblemError(422, "messages", "system", "the system message must be the first", "move it there")
    turns = [message.role for message in messages if message.role != "system"]
    if any(role != ("user", "assistant")[place % 2] for place, role in enumerate(turns)):
        raise ProblemError(
            422, "messages", ", ".join(turns), "user and assistant must take turns", "join those that follow each other"
        )
    system = model.asked.record.system_prompt
    if messages[0].role != "system" and system is not None and not PromptTemplates(system).lacking({}):
        filled = PromptTemplates(system, "").fill({}).system or ""
        told.insert(0, Message(role="system", content=[Part(type="text", text=filled)]))
    return told


def _parts(message: ChatMessage) -> list[Part]:
    if isinstance(message.content, str):
        return [Part(type="text", text=message.content)]
    kinds: dict[type, Literal["video", "image"]] = {VideoPart: "video", ImagePart: "image"}
    return [
        Part(type="text", text=part.text) if isinstance(part, TextPart) else Part(type=kinds[type(part)])
        for part in message.content
    ]


async def see(service: Service, asked: AskedChat) -> EncodedVideo | None:
    """The frames of what is shown."""
    if not asked.urls:
        return None
    rule = rule_for(asked.model, None, service.settings.max_sampled)
    if asked.are_images:
        if len(asked.urls) > service.settings.max_sampled:
            most = service.settings.max_sampled
            raise ProblemError(
                422, "messages", f"{len(asked.urls)} images", f"there may be {most} (--max-sampled)", "send fewer"
            )
        rule = replace(rule, count=len(asked.urls))
    async with AsyncExitStack() as files:
        paths = [await files.enter_async_context(_file(service, url)) for url in asked.urls]
        source: MediaSource = tuple(paths) if asked.are_images else paths[0]
        return await service.decoder.decode(source, rule)


@asynccontextmanager
async def _file(service: Service, url: str) -> AsyncIterator[Path]:
    """What a URL of a message stands for, as a file while the block lasts."""
    data = _DATA.match(url)
    if data is None:
        path = url.removeprefix("file://").removeprefix("file:") if url.startswith("file:") else None
        async with service.uploads.clip(None, path, None if path else url) as clip:
            if clip is None:
                raise ProblemError(
                    422, "url", url, "it must be data:, https: or file:", "send the video as data:video/mp4;base64,…"
                )
            yield clip.path
        return
    file = service.uploads.new_file(f"x.{data['type']}")
    try:
        await run_in_threadpool(_decode, url[data.end() :], file)
        yield file
    finally:
        await run_in_threadpool(file.unlink, missing_ok=True)


def _decode(text: str, file: Path) -> None:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProblemError(422, "url", text, "what follows `base64,` must be base64", "encode the file again") from None
    file.touch(mode=0o600, exist_ok=False)
    file.write_bytes(content)
