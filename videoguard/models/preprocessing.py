"""The preprocessing record, and the one way from a conversation and its frames to tensors.

Training, inference and serving call `Preprocessor`, so that a model never sees at inference what it did not see in training.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from transformers import BatchFeature, ProcessorMixin

from videoguard.config import FramesSection
from videoguard.dataset.messages import Message
from videoguard.digests import digest_file, digest_json
from videoguard.errors import UserError, refuse_all
from videoguard.frames.rule import Codec, FrameRule, Resize, Sampling
from videoguard.models.base import BaseModelFolder
from videoguard.models.families import Family

RECORD = "preprocessing.json"
IGNORED = -100
"""Label of a token that is not trained (the convention of transformers)."""

# What the record, the section of the recipe and the rule of the decoder call by the same name.
_RULE = {"sampling", "fps", "stride", "resize", "max_side", "max_pixels", "width", "height", "codec", "jpeg_quality"}

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
    )


def digest_processor(processor: ProcessorMixin) -> str:
    """Digest of everything that the processor saves: tokenizer, image and video settings, chat template."""
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        files = (path for path in Path(folder).rglob("*") if path.is_file())
        return digest_json({path.name: digest_file(path) for path in files})


class Preprocessor:
    """Turns conversations with their frames into unpadded tensors of one sample, and samples into batches."""

    def __init__(self, processor: ProcessorMixin, family: Family) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.family = family

    def prompt(self, messages: Sequence[Message], frames: np.ndarray) -> Example:
        """Tensors of a conversation up to where the model answers.

        Args:
            messages: a conversation that ends with a user message.
            frames: `(frames, height, width, 3)` uint8 RGB.

        Returns:
            `input_ids` `(tokens,)` and the media tensors of the family, as its processor makes them.
        """
        text = self._render(messages, add_generation_prompt=True)
        video = torch.from_numpy(frames).permute(0, 3, 1, 2)
        features = self.processor(text=[text], videos=[video], return_tensors="pt", **self.family.processor_options)
        return _unbatched(features)

    def example(self, messages: Sequence[Message], frames: np.ndarray) -> Example:
        """Tensors of a conversation with its answer, and `labels`: the answer's tokens with the end of turn, else ignored.

        Args:
            messages: a conversation that ends with an assistant message.
            frames: `(frames, height, width, 3)` uint8 RGB.
        """
        return self.with_answer(self.prompt(messages[:-1], frames), messages)

    def with_answer(self, prompt: Example, messages: Sequence[Message]) -> Example:
        """Append the answer that ends `messages` to the tensors of its prompt."""
        answer = torch.tensor(self.answer_tokens(messages), dtype=torch.long)
        ids = prompt["input_ids"]
        labels = torch.cat([torch.full_like(ids, IGNORED), answer])
        return {**prompt, "input_ids": torch.cat([ids, answer]), "labels": labels}

    def answer_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Tokens that the chat template writes after the prompt, to the end of the assistant's turn and no further."""
        prompt = self._render(messages[:-1], add_generation_prompt=True)
        whole = self._render(messages, add_generation_prompt=False)
        if not whole.startswith(prompt):
            raise UserError(f"the chat template of {self.family.model_type} does not continue its own generation prompt")
        tokens: list[int] = self.tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
        end = self.tokenizer.eos_token_id
        return tokens[: tokens.index(end) + 1] if end in tokens else [*tokens, end]

    def collate(self, examples: Sequence[Example], side: Literal["left", "right"]) -> Example:
        """A batch: token tensors padded on one side to `(batch, longest)`, media tensors joined along their first axis."""
        longest = max(len(example["input_ids"]) for example in examples)
        fills = {"input_ids": self.tokenizer.pad_token_id, "labels": IGNORED, "attention_mask": 0}
        batch: Example = {}
        for name in examples[0]:
            if name in fills:
                batch[name] = torch.stack([_pad(example[name], longest, fills[name], side) for example in examples])
            else:
                batch[name] = torch.cat([example[name] for example in examples])
        masks = (torch.ones_like(example["input_ids"]) for example in examples)
        batch["attention_mask"] = torch.stack([_pad(mask, longest, 0, side) for mask in masks])
        return batch

    def decode(self, tokens: torch.Tensor) -> str:
        """The text of generated tokens, without special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def _render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
        render: Callable[..., str] = self.processor.apply_chat_template
        return render(list(messages), add_generation_prompt=add_generation_prompt, tokenize=False)


def _unbatched(features: BatchFeature) -> Example:
    """Drop the batch axis of the token tensors of one sample; media tensors keep theirs (frames, tiles or patches)."""
    return {
        name: tensor[0] if name == "input_ids" else tensor for name, tensor in features.items() if name != "attention_mask"
    }


def _pad(tensor: torch.Tensor, length: int, value: int, side: Literal["left", "right"]) -> torch.Tensor:
    missing = tensor.new_full((length - len(tensor),), value)
    return torch.cat([missing, tensor] if side == "left" else [tensor, missing])
