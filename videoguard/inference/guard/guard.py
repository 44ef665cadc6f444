"""`StreamingGuard`: judges each frame as it arrives, and never reads a frame twice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from videoguard.dataset.guard_texts import (
    CLIP_FRAMES,
    ClipNote,
    Verdict,
    choose_clips,
    frame_answer,
    next_frame,
    open_clip,
    read_response,
    read_summary,
    response_conversation,
)
from videoguard.errors import UserError
from videoguard.inference.guard.context import Context, media_of
from videoguard.inference.guard.labels import Choice, LabelTokens, Tokens, common_length
from videoguard.inference.guard.trace import ClipTrace, FrameDecision, raise_categories
from videoguard.manifests.formats.guard_categories import CATEGORIES, QUESTION
from videoguard.models.families import require_streaming
from videoguard.models.media import Pictures
from videoguard.models.preprocessing import Example, Preprocessor


@dataclass(frozen=True)
class GuardSettings:
    """How a stream is judged."""

    question: str = QUESTION
    system: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Probability from which on a category raises an alarm; 0.5 where none is given."""
    clip_frames: int | None = CLIP_FRAMES
    """Frames after which a clip ends and only its text is kept. None: only where `close_clip` is called, or the context of
    the model is full."""
    summary_tokens: int = 96
    """Longest summary of a clip."""
    response_tokens: int = 384
    """Longest answer at the end."""


@dataclass(frozen=True)
class Response:
    """The answer at the end of a stream."""

    text: str
    verdict: Verdict
    tokens: int


class StreamingGuard:
    """Decides of each frame as it arrives.

    A clip is one conversation with the model, whose keys and values are kept: a frame costs one forward pass over its own
    tokens, two where it is unsafe. When the clip ends its images are forgotten and its text is kept, which the next clip
    opens with; so neither time nor memory of a frame grows with the length of the stream.

    Raises:
        UserError: the guard does not run with the family of the model, or its tokenizer does not write categories apart.
    """

    def __init__(
        self, model: PreTrainedModel | PeftModel, preprocessor: Preprocessor, settings: GuardSettings | None = None
    ) -> None:
        require_streaming(preprocessor.family.model_type)
        self.settings = settings or GuardSettings()
        self._preprocessor = preprocessor
        self._labels = LabelTokens(preprocessor.answer_tokens)
        config = model.config
        self._context = Context(model, int(config.image_token_id))
        self._room = int(config.get_text_config().max_position_embeddings)
        self._ends = set(preprocessor.ends)
        self._notes: list[ClipNote] = []
        self._frames: list[FrameDecision] = []
        self._answer: Tokens = ()
        """The answer to the last frame, as the model goes on from it."""
        self._answered = 0
        """Tokens of it that the model has read."""

    @property
    def notes(self) -> list[ClipNote]:
        """What is kept of the clips that are over."""
        return list(self._notes)

    @property
    def is_full(self) -> bool:
        """Whether the clip has as many frames as it may; the next frame closes it where `close_clip` does not before."""
        return self.settings.clip_frames is not None and len(self._frames) >= self.settings.clip_frames

    @property
    def cache_bytes(self) -> int:
        """Memory of the keys and values that are kept."""
        return self._context.nbytes

    @property
    def tokens_read(self) -> int:
        """Tokens that the model has read since the stream began."""
        return self._context.read

    def push(self, picture: Pictures, time: float) -> FrameDecision:
        """The decision of the next frame.

        Args:
            picture: `(1, height, width, 3)` uint8 RGB, as it would be stored.
            time: seconds from the beginning of the stream.
        """
        if self.is_full:
            self.close_clip()
        example = self._read_turn(picture)
        if self._frames and not self._has_room(example):
            self.close_clip()
            example = self._read_turn(picture)
        if not self._has_room(example):
            raise UserError(
                f"a frame and its prompt take {len(example['input_ids'])} tokens, and the model reads {self._room}: "
                "take a shorter question, or smaller frames"
            )
        decision = self._decide(example, time)
        self._frames.append(decision)
        return decision

    def close_clip(self, video: str | None = None) -> ClipTrace | None:
        """End the clip: the model sums it up, and all but the text is forgotten. None where it has no frames.

        Args:
            video: name of the clip.
        """
        if not self._frames:
            return None
        closing = self._labels.closing(self._frames[-1].labels)
        # The model has read the start of an answer that goes on; the part that this one shares with it stays.
        kept = min(common_length(closing, self._answer[: self._answered]), len(closing) - 1)
        self._context.drop(self._answered - kept)
        written = self._write(closing[kept:], self.settings.summary_tokens)
        summary = read_summary(self._preprocessor.decode(torch.tensor([*closing, *written])))
        clip = ClipTrace(video=video, frames=tuple(self._frames), summary=summary)
        self._notes = choose_clips([*self._notes, ClipNote(clip.labels, summary)])
        self._frames, self._answer, self._answered = [], (), 0
        return clip

    def respond(self) -> Response:
        """The answer after the last clip, written from the text of the clips. Close the last clip first."""
        tokens, most = self._response_prompt(len(self._notes)), len(self._notes)
        while len(tokens) + self.settings.response_tokens > self._room and most > 1:
            most //= 2
            tokens = self._response_prompt(most)
        kept = self._context.restart(tokens)
        written = self._write(tokens[kept:], self.settings.response_tokens)
        text = self._preprocessor.decode(torch.tensor(written, dtype=torch.long))
        return Response(text, read_response(text), len(written))

    def watch(self, frames: Iterable[tuple[float, Pictures]]) -> Iterator[FrameDecision | ClipTrace]:
        """Each decision as its frame arrives, and each clip as it ends; the last one with the end of the stream."""
        for time, picture in frames:
            yield self.push(picture, time)
            if self.is_full and (clip := self.close_clip()) is not None:
                yield clip
        if (clip := self.close_clip()) is not None:
            yield clip

    def _has_room(self, example: Example) -> bool:
        """Whether the model can read this, answer it, and sum up the clip."""
        needed = len(self._answer) + len(example["input_ids"]) + self._labels.longest + self.settings.summary_tokens
        return len(self._context) + needed <= self._room

    def _read_turn(self, picture: Pictures) -> Example:
        """What the model reads before it answers this frame, without what it has read already."""
        settings = self.settings
        if not self._frames:
            prompt = self._preprocessor.prompt(open_clip(settings.question, settings.system, self._notes), picture)
            kept = self._context.restart(prompt["input_ids"].tolist())
            return {**prompt, "input_ids": prompt["input_ids"][kept:]}
        opened = open_clip(settings.question, None, ())
        return self._preprocessor.last_turn([*opened, *next_frame(frame_answer(()))], picture)

    def _response_prompt(self, most: int) -> list[int]:
        """The tokens that ask for the answer at the end, with the text of so many clips."""
        settings, notes = self.settings, choose_clips(self._notes, most)
        prompt = self._preprocessor.prompt(response_conversation(settings.question, settings.system, notes))
        tokens: list[int] = prompt["input_ids"].tolist()
        return tokens

    def _decide(self, example: Example, time: float) -> FrameDecision:
        unread = [*self._answer[self._answered :], *example["input_ids"].tolist()]
        media: Mapping[str, torch.Tensor] | None = media_of(example)
        labels: tuple[str, ...] = ()
        probabilities = dict.fromkeys(CATEGORIES, 0.0)
        reached = 1.0
        probe: Tokens = ()
        while (choice := self._labels.choice(labels)) is not None:
            tokens = [*unread, *choice.probe[len(probe) :]]
            # From the last token before the answer on, or from the one that named a category.
            first = len(probe) + 1 if labels else 0
            logits = self._context.extend(tokens, media, len(choice.probe) + 1 - first)
            unread, media, probe = [], None, choice.probe
            going_on, named = _weigh(choice, logits, first)
            for code, share in named.items():
                probabilities[code] += reached * going_on * share
            if going_on < 0.5:
                break
            best = max(named, key=named.__getitem__)
            reached *= going_on * named[best]
            labels = (*labels, best)
        self._answer = self._labels.answer(labels)
        self._answered = common_length(self._answer, probe)
        self._context.drop(len(probe) - self._answered)
        raised = raise_categories(probabilities, self.settings.thresholds)
        return FrameDecision(time=time, labels=labels, probabilities=probabilities, raised=raised)

    def _write(self, tokens: Sequence[int], longest: int) -> list[int]:
        """Read tokens and write on, greedily, until an end or the longest; the end is not part of what is written."""
        logits = self._context.extend(tokens)
        written: list[int] = []
        while len(written) < longest and len(self._context) < self._room:
            token = int(logits[-1].argmax())
            if token in self._ends:
                break
            written.append(token)
            logits = self._context.extend([token])
        return written


def _weigh(choice: Choice, logits: torch.Tensor, first: int) -> tuple[float, dict[str, float]]:
    """How likely the answer goes on, and each category if it does.

    Args:
        choice: where the answer stands.
        logits: after each of some tokens in a row.
        first: number of tokens of the answer that stand before the first of these logits.
    """
    ends = logits[len(choice.stem) - first]
    going_on = torch.softmax(ends[[choice.end, choice.more]].double(), 0)[1]
    tokens = list(choice.categories.values())
    if len(tokens) == 1:
        return float(going_on), dict.fromkeys(choice.categories, 1.0)
    shares = torch.softmax(logits[len(choice.probe) - first][tokens].double(), 0)
    return float(going_on), dict(zip(choice.categories, shares.tolist(), strict=True))
