"""Questions as the model gets them, prepared in worker processes while it answers others."""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from videoguard.dataset.messages import Message
from videoguard.errors import UserError
from videoguard.frames.store import FrameStore
from videoguard.inference.generation import Read
from videoguard.inference.views import WHOLE, View
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import Example
from videoguard.subprocesses import end_with_parent

# Prompts that a worker hands over at once, and what is prepared ahead of the model at most.
_CHUNK = 4
_CHUNKS_AHEAD_PER_WORKER = 4

Prepared = Example | str
"""The tensors of a prompt, or the reason why there are none."""


@dataclass(frozen=True)
class Question:
    """What is asked about one sample."""

    sample: Mapping[str, Any]
    """What an `AnswerRow` tells of the sample."""
    messages: Sequence[Message]
    """The conversation up to the answer."""
    view: View = WHOLE
    """What is shown of the stored frames."""

    @property
    def video(self) -> str | None:
        """Name of the clip; None where the sample is text alone."""
        video: str | None = self.sample["video"]
        return video


class Prompts:
    """Makes prompts of questions."""

    def __init__(self, questions: Sequence[Question], frames: FrameStore | None, read: Read) -> None:
        self._questions = questions
        self._frames = frames
        self._read = read

    def by_length(self) -> list[int]:
        """Numbers of the questions, the longest prompts first, by what is known without reading a picture.

        So little is padding, and what takes most memory is tried first.
        """
        return sorted(range(len(self._questions)), key=self._length, reverse=True)

    def prepare(self, number: int) -> Prepared:
        """The prompt of a question."""
        question = self._questions[number]
        try:
            return self._read(question.messages, self._shown(question))
        except KeyError as no_frames:
            return str(no_frames.args[0])
        except UserError as misfit:
            return str(misfit)
        except OSError as damage:
            return f"its stored frames cannot be read: {damage}"

    def _shown(self, question: Question) -> TimedFrames | None:
        if question.video is None:
            return None
        assert self._frames is not None
        shown = TimedFrames(self._frames.frames(question.video), self._frames.timestamps(question.video))
        return question.view.of(shown)

    def _length(self, number: int) -> tuple[tuple[int, ...], int]:
        question = self._questions[number]
        texts = (part.get("text") or "" for message in question.messages for part in message["content"])
        shape: tuple[int, ...] = ()
        if question.video is not None and self._frames is not None and question.video in self._frames.digests:
            shape = self._frames.shape(question.video)
        return shape, sum(map(len, texts))


def prepare_ahead(prompts: Prompts, order: Sequence[int], workers: int) -> Iterator[tuple[int, Prepared]]:
    """Prompts in an order, made by worker processes ahead of whoever takes them.

    Args:
        prompts: makes them.
        order: numbers of the questions.
        workers: processes; 0 makes each prompt when it is taken, as is done where there are too few to be worth it.
    """
    if workers == 0 or len(order) <= _CHUNK:
        yield from ((number, prompts.prepare(number)) for number in order)
        return
    chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
    left = iter(chunks)
    coming: deque[tuple[Sequence[int], Future[list[_Packed]]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=_context(), initializer=_begin, initargs=(prompts,)) as pool:
        try:
            while True:
                while len(coming) < workers * _CHUNKS_AHEAD_PER_WORKER and (chunk := next(left, None)) is not None:
                    coming.append((chunk, pool.submit(_prepare, chunk)))
                if not coming:
                    return
                numbers, future = coming.popleft()
                for number, packed in zip(numbers, future.result(), strict=True):
                    yield number, packed if isinstance(packed, str) else _unpack(packed)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_Packed = dict[str, Any] | str
"""Arrays in place of tensors: those go through memory that processes share, of which containers have little."""
_prompts: Prompts | None = None


def _context() -> multiprocessing.context.BaseContext:
    # A fork has the tokenizer and the index of the frames already; it never touches the GPU.
    return multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")


def _begin(prompts: Prompts) -> None:
    global _prompts
    end_with_parent()
    torch.set_num_threads(1)
    _prompts = prompts


def _prepare(numbers: Sequence[int]) -> list[_Packed]:
    assert _prompts is not None
    prepared = [_prompts.prepare(number) for number in numbers]
    return [made if isinstance(made, str) else {name: tensor.numpy() for name, tensor in made.items()} for made in prepared]


def _unpack(packed: Mapping[str, Any]) -> Example:
    return {name: torch.from_numpy(np.asarray(array)) for name, array in packed.items()}
