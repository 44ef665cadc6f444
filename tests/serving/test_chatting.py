"""OpenAI's form of a conversation, at once and as it is written."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.serving.conftest import QUESTION
from tests.serving.test_predicting import LENGTH, post


def data_url(content: bytes, kind: str = "video/mp4") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def shown(url: str, question: str = QUESTION, part: str = "video_url") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": part, part: {"url": url}}, {"type": "text", "text": question}]}


def test_the_answer_is_that_of_predict(served, video, small_set):
    same = post(served, video).json()["answers"][0]
    inside = f"file:{video.relative_to(small_set.manifest.parent)}"
    for url in (data_url(video.read_bytes()), inside):
        body = {"messages": [shown(url)], "max_tokens": LENGTH}
        told = served.client.post("/v1/chat/completions", json=body).json()
        assert told["choices"][0]["message"] == {"role": "assistant", "content": same["answer"]}
        assert told["choices"][0]["finish_reason"] == ("stop" if same["ended"] else "length")
        usage = {"prompt_tokens": same["prompt_tokens"], "completion_tokens": same["new_tokens"]}
        assert told["usage"] == {**usage, "total_tokens": sum(usage.values())}


def test_a_streamed_answer_is_the_same_in_pieces(served, video):
    body = {"messages": [shown(data_url(video.read_bytes()))], "max_tokens": LENGTH}
    whole = served.client.post("/v1/chat/completions", json=body).json()["choices"][0]
    events = served.client.post("/v1/chat/completions", json={**body, "stream": True}).text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    deltas = [chunk["choices"][0] for chunk in chunks]
    assert "".join(delta["delta"].get("content", "") for delta in deltas) == whole["message"]["content"]
    assert sum(bool(delta["delta"].get("content")) for delta in deltas) > 2
    assert [delta["finish_reason"] for delta in deltas] == [None] * (len(deltas) - 1) + [whole["finish_reason"]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_a_conversation_goes_on_and_a_system_message_counts(served, video):
    first = shown(data_url(video.read_bytes()))
    later = [first, {"role": "assistant", "content": "squat"}, {"role": "user", "content": "Is it right?"}]
    plain, longer, told = (
        served.client.post("/v1/chat/completions", json={"messages": messages, "max_tokens": LENGTH}).json()["usage"]
        for messages in ([first], later, [{"role": "system", "content": "Say no. " * 20}, first])
    )
    assert longer["prompt_tokens"] > plain["prompt_tokens"]
    # In place of the five words of the training.
    assert told["prompt_tokens"] > plain["prompt_tokens"] + 20


def test_images_are_the_frames_of_a_clip(served, video):
    pictures = []
    for grey in (0, 80, 160):
        file = io.BytesIO()
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(file, "PNG")
        pictures.append({"type": "image_url", "image_url": {"url": data_url(file.getvalue(), "image/png")}})
    content = [*pictures, {"type": "text", "text": QUESTION}]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 2}
    told = served.client.post("/v1/chat/completions", json=body)
    assert told.status_code == 200, told.text
    assert told.json()["usage"]["completion_tokens"] == 2


def test_json_is_held_to_the_schema_of_the_request(served, video):
    schema = {
        "type": "object",
        "properties": {"good": {"type": "boolean"}},
        "required": ["good"],
        "additionalProperties": False,
    }
    body = {
        "messages": [shown(data_url(video.read_bytes()))],
        "max_tokens": 40,
        "response_format": {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}},
    }
    told = served.client.post("/v1/chat/completions", json=body).json()
    assert set(json.loads(told["choices"][0]["message"]["content"])) == {"good"}


@pytest.mark.parametrize(
    ("change", "thing", "rule"),
    [
        ({"temperature": 0.7}, "temperature", "answers are greedy"),
        ({"n": 2}, "n", "always the same"),
        ({"tools": [{}]}, "tools", "not done here"),
        ({"model": "gpt-4"}, "model", "the service has"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "user", "content": "Hello"}]}, "messages", "looks at videos"),
        ({"messages": [shown("data:video/mp4;base64,???")]}, "url", "must be base64"),
        ({"messages": [shown("file:../../etc/passwd")]}, "path", "below the allowed folders"),
        ({"messages": [shown("http://127.0.0.1/a.mp4")]}, "url", "the hosts that it may name are none"),
        ({"messages": [shown(data_url(b"no video"))]}, "the video", "it must be a video file"),
        ({"messages": [shown(data_url(b"")), shown(data_url(b""))]}, "messages", "one video, or images, may be shown"),
        ({"messages": [{"role": "assistant", "content": "squat"}]}, "messages", "the last message must be the user's"),
    ],
)
def test_what_cannot_be_done_is_refused(served, video, change, thing, rule):
    body = {"messages": [shown(data_url(video.read_bytes()))], "max_tokens": 2, **change}
    refused = served.client.post("/v1/chat/completions", json=body)
    assert refused.status_code in {403, 404, 422}, refused.text
    assert refused.json()["thing"] == thing
    assert rule in refused.json()["rule"]


def test_a_body_that_is_no_upload_has_a_limit_of_its_own(settings, served):
    assert served.service.settings.max_json_mb > served.service.settings.max_upload_mb
    text = b'{"messages": "' + b"a" * (9 << 20) + b'"}'
    refused = served.client.post("/v1/chat/completions", content=text, headers={"content-type": "application/json"})
    assert refused.status_code == 413
    assert (
        served.client.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"}).status_code
        == 422
    )
