"""The preprocessing record, and the one way from a conversation and its frames to tensors.

Training, inference and serving call `Preprocessor`, so that a model never sees at inference what it did not see in training.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from transformers import BatchFeature

from videoguard.config import FramesSection
from videoguard.dataset.messages import Message
from videoguard.digests import digest_file, digest_json
from videoguard.errors import UserError, refuse_all
from videoguard.frames.rule import Codec, FrameRule, Resize, Sampling
from videoguard.models.base import BaseModelFolder
from videoguard.models.batching import batch_samples, join_turns
from videoguard.models.chat import ChatTemplate, Processor, Turn, media_tokens, tokenizer_of
from videoguard.models.families import Family
from videoguard.models.media import Shown, TimedFrames, as_clips, as_images, as_tensor, metadata_of

RECORD = "preprocessing.json"
IGNORED = -100
"""Label of a token that is not trained (the convention of transformers)."""

# What the record, the section of the recipe and the rule of the decoder call by the same name.
_RULE = {"sampling", "fps", "stride", "resize", "max_side", "max_pixels", "width", "height", "codec", "jpeg_quality"}

# Processors of some families tell what kind of token each is; text is 0.
_TOKEN_TYPES = ("token_type_ids", "mm_token_type_ids")
TOKEN_TENSORS = ("input_ids", "labels", *_TOKEN_TYPES)
"""Tensors of an example with an entry a token; all others are media."""

Example = dict[str, torch.Tensor]


class PreprocessingRecord(BaseModel):
    """All that decides what a model sees of a video; saved beside the adapter and compared before each use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    family: str
    base: str
    """Name of the base model, as the user gave it."""
    base_digest: str
    processor_digest: str
    sampling: Sampling
    frames: int
    fps: float | None = None
    stride: int | None = None
    resize: Resize = "fit"
    max_side: int
    max_pixels: int | None = None
    width: int | None = None
    height: int | None = None
    codec: Codec
    jpeg_quality: int
    system_prompt: str | None
    question: str | None
    text_only: bool = False
    """Whether nothing was shown: then the sampling rule was not used."""

    def frame_rule(self) -> FrameRule:
        """The rule that makes of a video what the model was trained on."""
        return FrameRule(count=self.frames, **self.model_dump(include=_RULE))

    def save(self, folder: Path) -> None:
        """Write the record into an adapter's folder."""
        (folder / RECORD).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def require_same(self, used: "PreprocessingRecord", adapter: Path) -> None:
        """Raise `UserError` with both values of every field in which this record of `adapter` differs from `used`."""
        trained, now = self.model_dump(exclude={"base"}), used.model_dump(exclude={"base"})
        refuse_all(
            f"adapter {adapter} was trained with another preprocessing",
            (
                f"{name}: trained with {trained[name]!r}, asked for {now[name]!r}"
                for name in trained
                if trained[name] != now[name]
            ),
        )


def frame_rule_of(frames: FramesSection) -> FrameRule:
    """What a section of a recipe says of how a video is sampled."""
    return FrameRule(**frames.model_dump(include={"count", *_RULE}))


def read_record(adapter: Path) -> PreprocessingRecord:
    """The record of an adapter's folder; `UserError` where it has none that can be read."""
    path = adapter / RECORD
    if not path.is_file():
        raise UserError(f"adapter {adapter} has no {RECORD}: it was not trained by Video-Guard, or the file was lost")
    try:
        return PreprocessingRecord.model_validate_json(path.read_bytes())
    except ValidationError as damage:
        first = damage.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(
            f"adapter {adapter}: {RECORD} cannot be read ({field}: {first['msg']}): train the adapter again"
        ) from None


def make_record(
    base: BaseModelFolder,
    processor_digest: str,
    frames: FramesSection,
    *,
    base_name: str,
    system_prompt: str | None,
    question: str | None,
    text_only: bool = False,
) -> PreprocessingRecord:
    """The record of a base model that is used with a sampling rule and prompts."""
    return PreprocessingRecord(
        family=base.family.model_type,
        base=base_name,
        base_digest=base.digest,
        processor_digest=processor_digest,
        frames=frames.count,
        **frames.model_dump(include=_RULE),
        system_prompt=system_prompt,
        question=question,
        text_only=text_only,
    )


def digest_processor(processor: Processor) -> str:
    """Digest of everything that the processor saves: tokenizer, image and video settings, chat template."""
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        files = (path for path in Path(folder).rglob("*") if path.is_file())
        return digest_json({path.name: digest_file(path) for path in files})


class Preprocessor:
    """Turns conversations with what they show into unpadded tensors of one sample, and samples into batches.

    Raises:
        UserError: the model's chat template cannot be trained on, see `ChatTemplate`.
    """

    def __init__(self, processor: Processor, family: Family) -> None:
        self.processor = processor
        self.tokenizer = tokenizer_of(processor)
        self.family = family
        self.chat = ChatTemplate(processor, family)

    @property
    def ends(self) -> list[int]:
        """Tokens that end an answer: what the chat template writes there, and the end of a text."""
        end_of_turn: list[int] = self.tokenizer(self.chat.end_of_turn, add_special_tokens=False)["input_ids"]
        return sorted({end_of_turn[-1], int(self.tokenizer.eos_token_id)})

    def prompt(self, messages: Sequence[Message], frames: Shown | Sequence[Shown] | None = None) -> Example:
        """Tensors of a conversation up to where the model answers.

        Args:
            messages: a conversation that ends with a user message.
            frames: `(frames, height, width, 3)` uint8 RGB, with times or without: for each video or image that the
                conversation shows, in order. An image is one frame; one clip may be given for several images, which are its
                frames. None where it shows nothing.

        Returns:
            `input_ids` `(tokens,)`, other tensors with an entry a token where the family has some, and its media tensors
            as its processor makes them.

        Raises:
            UserError: the model cannot read what is shown.
        """
        example = self._encode(messages, frames)
        labels = example.pop("labels")
        if len(labels) and labels[-1] != IGNORED:
            raise ValueError("a prompt ends with a user message, and this conversation with an answer")
        return example

    def example(self, messages: Sequence[Message], frames: Shown | Sequence[Shown] | None = None) -> Example:
        """Tensors of a conversation with its answers, and `labels`: the tokens of every answer with its end of turn.

        Other tokens are ignored. What stands before an answer are the tokens of the prompt that asks for it.

        Args:
            messages: a conversation that ends with an assistant message.
            frames: as of `prompt`.
        """
        return self._encode(messages, frames)

    def last_turn(self, messages: Sequence[Message], frames: Shown | Sequence[Shown] | None = None) -> Example:
        """Tensors of what stands in `prompt` after the last answer of a conversation, which has been read before.

        Args:
            messages: a conversation that ends with a user message.
            frames: for each video or image that stands after the last answer.
        """
        turn, clips = self.chat.last_turn(messages), as_clips(frames)
        _require_all_shown(turn.media, clips, self.family)
        _require_places(turn, self.processor, self.family)
        return self._read(turn, clips)

    def answer_tokens(self, text: str) -> list[int]:
        """Tokens of an answer with its end of turn, as `example` trains them."""
        tokens: list[int] = self._tokens(self.chat.answer(text)).tolist()
        return tokens

    def collate(self, examples: Sequence[Example], side: Literal["left", "right"]) -> Example:
        """A batch: token tensors padded on one side to `(batch, longest)`, media tensors put together as the family has it.

        Raises:
            UserError: media tensors do not fit together.
        """
        return batch_samples(examples, self._fills, self.family, side)

    def unread(self, messages: Sequence[Message], frames: Shown | Sequence[Shown] | None = None) -> Example:
        """A conversation as `prompt` has it before its media are read, for an engine that reads them itself.

        Args:
            messages: a conversation that ends with a user message.
            frames: as of `prompt`.

        Returns:
            `input_ids` `(tokens,)` with one placeholder for each video or image; for the N-th of them, from 0, the tensors
            `N.video` or `N.image`, `(frames, height, width, 3)` uint8, and `N.times` `(frames,)` float64, seconds.

        Raises:
            UserError: the model cannot read what is shown.
        """
        parts: list[torch.Tensor] = []
        shown: Example = {}
        number = 0
        for turn, clips in self._turns(messages, frames):
            parts += [self._tokens(text) for text in (turn.prompt, turn.answer) if text is not None]
            for kind, clip in zip(turn.media, clips, strict=True):
                shown[f"{number}.{kind}"] = torch.from_numpy(np.ascontiguousarray(clip.pictures))
                shown[f"{number}.times"] = torch.from_numpy(np.asarray(clip.times, dtype=np.float64))
                number += 1
        return {"input_ids": torch.cat(parts), **shown}

    def count_text(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation with one placeholder for each video or image, before any is read."""
        texts = [text for turn in self.chat.turns(messages) for text in (turn.prompt, turn.answer) if text is not None]
        return sum(len(self._tokens(text)) for text in texts)

    def decode(self, tokens: torch.Tensor) -> str:
        """The text of generated tokens, without special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    @property
    def _fills(self) -> dict[str, int]:
        """Tensors with an entry a token, and what stands in them where there is nothing."""
        return {"input_ids": self.tokenizer.pad_token_id, "labels": IGNORED, **dict.fromkeys(_TOKEN_TYPES, 0)}

    def _encode(self, messages: Sequence[Message], frames: Shown | Sequence[Shown] | None) -> Example:
        parts: list[Example] = []
        for turn, shown in self._turns(messages, frames):
            prompt = self._read(turn, shown)
            parts.append({**prompt, "labels": torch.full_like(prompt["input_ids"], IGNORED)})
            if turn.answer is not None:
                answer = self._tokens(turn.answer)
                parts.append({"input_ids": answer, "labels": answer})
        return join_turns(parts, self._fills, self.family)

    def _turns(
        self, messages: Sequence[Message], frames: Shown | Sequence[Shown] | None
    ) -> list[tuple[Turn, list[TimedFrames]]]:
        """The turns of a conversation as the family has it, each with what it shows."""
        kinds = [part["type"] for message in messages for part in message["content"] if part["type"] != "text"]
        clips = as_clips(frames, 1 if "video" in kinds else len(kinds))
        _require_all_shown(kinds, clips, self.family)
        if self.family.media == "images":
            messages, clips = as_images(messages, clips)
        turns = []
        for turn in self.chat.turns(messages):
            shown, clips = clips[: len(turn.media)], clips[len(turn.media) :]
            _require_places(turn, self.processor, self.family)
            turns.append((turn, shown))
        return turns

    def _read(self, turn: Turn, clips: Sequence[TimedFrames]) -> Example:
        if not clips:
            return {"input_ids": self._tokens(turn.prompt)}
        shown = list(zip(turn.media, clips, strict=True))
        images = [as_tensor(clip)[0] for kind, clip in shown if kind == "image"]
        videos = [clip for kind, clip in shown if kind == "video"]
        media: dict[str, object] = {}
        if images:
            media["images"] = [images]
        if videos:
            media |= {
                "videos": [as_tensor(clip) for clip in videos],
                "video_metadata": [metadata_of(clip) for clip in videos],
            }
        features: BatchFeature = self.processor(
            text=[turn.prompt], **media, add_special_tokens=False, return_tensors="pt", **self.family.processor_options
        )
        return self._unbatched(features)

    def _tokens(self, text: str) -> torch.Tensor:
        # The template writes all special tokens itself: a tokenizer that begins every text with one would add a second.
        return torch.tensor(self.tokenizer(text, add_special_tokens=False)["input_ids"], dtype=torch.long)

    def _unbatched(self, features: BatchFeature) -> Example:
        """Drop the batch axis of one sample where there is one; most media tensors count on their first axis."""
        batched = {"input_ids", *_TOKEN_TYPES, *self.family.stacked}
        return {
            name: tensor[0] if name in batched else torch.as_tensor(tensor)
            for name, tensor in features.items()
            if name != "attention_mask"
        }


def _require_all_shown(kinds: Sequence[str], clips: Sequence[TimedFrames], family: Family) -> None:
    if kinds and family.media == "text":
        raise UserError(
            f"the conversation shows {len(kinds)} videos or images, and a {family.model_type} model reads text only: "
            "take a vision-language model, or samples without media"
        )
    if len(kinds) != len(clips):
        raise ValueError(f"the conversation shows {len(kinds)} videos or images, and the frames of {len(clips)} are given")


def _require_places(turn: Turn, processor: Processor, family: Family) -> None:
    """Each video and image has its place in the prompt, and no text of the conversation holds another."""
    for kind, token in media_tokens(processor).items():
        found, shown = turn.prompt.count(token), turn.media.count(kind)
        if found != shown or token in (turn.answer or ""):
            raise UserError(
                f"the conversation shows {shown} {kind}s, and {token!r} stands {found} times in the prompt for the "
                f"{family.model_type} model: take {token!r} out of the texts, or give the model another chat template"
            )
