"""Server-sent events (HTML Standard, 9.2): an answer as it is made."""

import json
from collections.abc import Mapping

MEDIA_TYPE = "text/event-stream"
SCHEMA = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}, "required": ["data"]}
"""Of one event, as an OpenAPI document describes it."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event(name: str | None, content: object) -> str:
    """One event; without a name as OpenAI's clients read it."""
    data = f"data: {json.dumps(content)}\n\n"
    return data if name is None else f"event: {name}\n{data}"


def chunk(head: Mapping[str, object], delta: Mapping[str, str], finish_reason: str | None = None) -> str:
    """A piece of an answer in OpenAI's form."""
    return event(None, {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})
