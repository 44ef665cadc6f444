"""Requests and answers of OpenAI's chat completions, as far as they go here."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from videoguard.serving.schemas import EXAMPLE_MODEL, Told

_MOST_MESSAGES = 200


class MediaUrl(BaseModel):
    """Where a video or an image is."""

    url: str = Field(
        max_length=100_000_000,
        description="`data:…;base64,…`, `https://…` at an allowed host, or `file:PATH` below an allowed folder.",
    )


class TextPart(BaseModel):
    """Text."""

    type: Literal["text"]
    text: str = Field(max_length=100_000)


class VideoPart(BaseModel):
    """A video."""

    type: Literal["video_url"]
    video_url: MediaUrl


class ImagePart(BaseModel):
    """An image; several are shown as the frames of one clip, in their order."""

    type: Literal["image_url"]
    image_url: MediaUrl


ContentPart = Annotated[TextPart | VideoPart | ImagePart, Field(discriminator="type")]


class ChatMessage(BaseModel):
    """A turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str | list[ContentPart] = Field(description="Text, or parts.")


class JsonSchemaFormat(BaseModel):
    """A schema that the answer is held to."""

    name: str = "answer"
    model_config = ConfigDict(extra="allow")
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class ChatRequest(BaseModel):
    """A conversation to go on with; it shows one video, or images."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "model": EXAMPLE_MODEL,
                    "messages": [
                        {
                            "role": "user",
                            "content": [
                                {"type": "video_url", "video_url": {"url": "file:quickstart/videos/squat_correct_000.mp4"}},
                                {"type": "text", "text": "Which exercise is this?"},
                            ],
                        }
                    ],
                    "max_tokens": 64,
                }
            ]
        },
    )

    model: str | None = None
    messages: list[ChatMessage] = Field(min_length=1, max_length=_MOST_MESSAGES)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    stream: bool = False
    temperature: float | None = Field(None, description="0 where given: answers are greedy.")
    n: int | None = Field(None, description="1 where given.")
    response_format: ResponseFormat | None = None


class ChatAnswer(Told):
    """The message of the model."""

    role: Literal["assistant"] = "assistant"
    content: str


class Choice(Told):
    """The one answer."""

    index: Literal[0] = 0
    message: ChatAnswer
    finish_reason: Literal["stop", "length"]


class Usage(Told):
    """Tokens, those of the frames among them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Told):
    """An answer in OpenAI's form."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
