"""What the tiny model of the streaming guard is pre-trained on: it learns to see signs and to speak the guard's form.

Most examples name the signs of rendered frames, one frame after another, and no category. The others have the form of the
guard's conversations, tell the signs rightly and draw the categories at random: what stands for which category is left to
the training.
"""

import random
from collections.abc import Sequence

import numpy as np
import torch

from videoguard.config import TinyModel
from videoguard.dataset.guard_texts import ClipNote, clip_conversation, response_conversation
from videoguard.dataset.messages import Message, Part
from videoguard.exercises.incidents import KINDS, describe_signs, draw_sign
from videoguard.manifests.formats.guard_categories import CATEGORIES, QUESTION, response
from videoguard.models.preprocessing import Example, Preprocessor
from videoguard.models.tiny.clips import Clip

_REQUEST = "Name the signs."
_FRAMES = (2, 6)
_EARLIER = (0, 2)
_CLOSING = (1, 3)
_MOST_CATEGORIES = 2
_RESPONSE_SHARE = 0.5
_TIMES = 20


def sign_texts() -> list[str]:
    """Texts that the tokenizer should write in few tokens: answers with every category, and what the frames are called."""
    codes = [(code,) for code in CATEGORIES]
    conversations = [
        message
        for labels in [(), *codes]
        for message in [
            *clip_conversation(QUESTION, None, [], [labels, labels], None),
            *response_conversation(QUESTION, None, [], response(None, labels)),
        ]
    ]
    said = [part["text"] or "" for message in conversations for part in message["content"] if part["type"] == "text"]
    framing = [_REQUEST, "<summary></summary>", "DESCRIPTION:", "system\n", "user\n", "assistant\n"]
    return (said + framing) * _TIMES + [describe_signs(kind) for kind in KINDS] * _TIMES


class SignExamples(torch.utils.data.Dataset[Example]):
    """The examples of all steps in order; each is a function of the seed and of its number alone."""

    def __init__(self, clips: Sequence[Clip], preprocessor: Preprocessor, size: TinyModel, seed: int) -> None:
        self._clips = clips
        self._preprocessor = preprocessor
        self._size = size
        self._seed = seed

    def __len__(self) -> int:
        return self._size.pretraining_steps * self._size.pretraining_batch

    def __getitem__(self, index: int) -> Example:
        chance = random.Random(f"signs|{self._seed}|{index}")
        if chance.random() >= self._size.answer_share:
            kinds = _draw_kinds(chance, _FRAMES)
            return self._preprocessor.example(_naming(kinds), self._frames(kinds, chance))
        if chance.random() < _RESPONSE_SHARE:
            kinds = _draw_kinds(chance, _CLOSING)
            seen = sorted({label for kind in kinds for label in kind})
            answer = response(describe_signs(seen), _labels(chance))
            return self._preprocessor.example(response_conversation(QUESTION, None, _notes(kinds, chance), answer))
        kinds = [chance.choice(KINDS)] * chance.randint(*_FRAMES)
        notes = _notes(_draw_kinds(chance, _EARLIER), chance)
        frames = [_labels(chance) for _ in kinds]
        messages = clip_conversation(QUESTION, None, notes, frames, describe_signs(kinds[0]))
        return self._preprocessor.example(messages, self._frames(kinds, chance))

    def _frames(self, kinds: Sequence[Sequence[str]], chance: random.Random) -> np.ndarray:
        shown = chance.choice(self._clips).frames
        assert shown is not None
        frames = shown[: len(kinds)].copy()
        for frame, kind in zip(frames, kinds, strict=True):
            for label in kind:
                draw_sign(frame, label, chance)
        return frames


def _naming(kinds: Sequence[Sequence[str]]) -> list[Message]:
    messages: list[Message] = []
    for kind in kinds:
        request: list[Part] = [] if messages else [{"type": "text", "text": f"{_REQUEST}\n"}]
        messages += [
            {"role": "user", "content": [*request, {"type": "image"}]},
            {"role": "assistant", "content": [{"type": "text", "text": describe_signs(kind)}]},
        ]
    return messages


def _labels(chance: random.Random) -> tuple[str, ...]:
    return tuple(sorted(chance.sample(sorted(CATEGORIES), chance.randint(0, _MOST_CATEGORIES))))


def _draw_kinds(chance: random.Random, count: tuple[int, int]) -> list[tuple[str, ...]]:
    return [chance.choice(KINDS) for _ in range(chance.randint(*count))]


def _notes(kinds: Sequence[Sequence[str]], chance: random.Random) -> list[ClipNote]:
    return [ClipNote(_labels(chance), describe_signs(kind)) for kind in kinds]
