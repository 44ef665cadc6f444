"""`POST /v1/chat/completions`: OpenAI's form, with a video or images in the content."""

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from videoguard.frames.workers import EncodedVideo
from videoguard.serving.answering import ask_one
from videoguard.serving.chat_reading import AskedChat, read_chat, see
from videoguard.serving.chat_schemas import ChatAnswer, ChatCompletion, ChatRequest, Choice, Usage
from videoguard.serving.events import HEADERS, MEDIA_TYPE, SCHEMA, chunk, event
from videoguard.serving.problems import ProblemError
from videoguard.serving.schemas import ModelAnswer
from videoguard.serving.service import in_time, life_of, service_of

router = APIRouter(tags=["chat"])


@router.post(
    "/v1/chat/completions",
    summary="Go on with a conversation about a video (OpenAI)",
    response_model=ChatCompletion,
    responses={200: {"content": {MEDIA_TYPE: {"schema": SCHEMA}}}},
)
async def chat(request: Request, body: ChatRequest) -> ChatCompletion | StreamingResponse:
    """The conversation is shown as it is sent; the system message of the training stands before it where none is sent.

    With `stream: true` the answer comes in `chat.completion.chunk` events as it is written, and `[DONE]` last.
    """
    service = service_of(request)
    asked = read_chat(service, body)
    life_of(request).facts |= {"models": [asked.model.name], "versions": [asked.model.version]}
    async with in_time(request):
        seen = await see(service, asked)
        if not body.stream:
            answer = await ask_one(service, asked.model, asked.messages, seen, asked.wanted)
            return _completion(request, asked, answer)
    return StreamingResponse(_stream(request, asked, seen), media_type=MEDIA_TYPE, headers=HEADERS)


def _completion(request: Request, asked: AskedChat, answer: ModelAnswer) -> ChatCompletion:
    prompt, written = answer.prompt_tokens or 0, answer.new_tokens or 0
    return ChatCompletion(
        id=f"chatcmpl-{life_of(request).request_id}",
        created=int(time.time()),
        model=asked.model.name,
        choices=[
            Choice(message=ChatAnswer(content=answer.answer or ""), finish_reason="stop" if answer.ended else "length")
        ],
        usage=Usage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written),
    )


async def _stream(request: Request, asked: AskedChat, seen: EncodedVideo | None) -> AsyncIterator[str]:
    service, loop = service_of(request), asyncio.get_running_loop()
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(text: str) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(texts.put_nowait, text)

    head = {
        "id": f"chatcmpl-{life_of(request).request_id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": asked.model.name,
    }
    asking = asyncio.ensure_future(ask_one(service, asked.model, asked.messages, seen, asked.wanted, tell))
    asking.add_done_callback(lambda done: texts.put_nowait(None))
    try:
        yield chunk(head, {"role": "assistant", "content": ""})
        async with in_time(request):
            sent = ""
            while (text := await texts.get()) is not None:
                # The rest of a character may still come.
                whole = text.rstrip("�")
                if whole.startswith(sent) and len(whole) > len(sent):
                    yield chunk(head, {"content": whole[len(sent) :]})
                    sent = whole
            answer = await asking
        rest = (answer.answer or "").removeprefix(sent)
        if rest:
            yield chunk(head, {"content": rest})
        yield chunk(head, {}, "stop" if answer.ended else "length")
        yield "data: [DONE]\n\n"
    except ProblemError as problem:
        yield event(None, {"error": problem.content(life_of(request).request_id)})
    finally:
        asking.cancel()
