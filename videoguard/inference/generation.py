"""What generation is asked, and what it gives: where others take part in it.

A limit on what may be written (a grammar, a closed list of answers) is a `Constraint`, an end that is no token of the
model's own (a complete JSON value) is a `Stop`. Neither knows of batches, or of the order in which answers are generated.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from videoguard.dataset.messages import Message
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import Example


class Constraint(Protocol):
    """What answers may consist of. One object serves all answers of one call, several of which are written at a time."""

    def limit(self, rows: Sequence[int], generated: Sequence[Sequence[int]], scores: torch.Tensor) -> None:
        """Set the scores of tokens that must not come next to minus infinity, in place.

        Called before each token. An answer that is begun anew comes with nothing generated, also a second time: what is
        remembered of it then starts over.

        Args:
            rows: which answers go on, by numbers that stay the same from token to token; those that are finished are gone.
            generated: the tokens of each of these answers so far.
            scores: `(rows, vocabulary)` float32, on the device of the model.
        """


Stop = Callable[[Sequence[int]], bool]
"""Whether an answer ends with its last token, asked after each of them with all so far. Made anew for each answer."""


Read = Callable[[Sequence[Message], TimedFrames | None], Example]
"""Makes the tensors of a prompt of a conversation and what it shows. Raises `UserError` where the model cannot read it."""


@dataclass(frozen=True)
class GenerationSettings:
    """How answers are generated: greedily, up to an end of the model's own, a stop or the longest answer."""

    max_new_tokens: int
    """Longest answer, tokens."""
    constraint: Callable[[], Constraint] | None = None
    """Makes what limits the answers of one call."""
    stops: Sequence[Callable[[], Stop]] = field(default=())
    """Each makes one further end of one answer."""
    cut: Callable[[int, Sequence[int]], bool] | None = None
    """Told of each token as it is written: the number of the prompt, and all tokens of its answer so far. These begin anew
    where the memory did not suffice. Says whether the answer is cut off there."""


@dataclass(frozen=True)
class Answer:
    """One generated text."""

    text: str
    new_tokens: int
    """Generated tokens, the end of turn included."""
    mean_token_logprob: float | None
    """Mean natural log-probability of the generated tokens, as the model has it without a constraint; None where none was
    generated."""
    tokens: tuple[int, ...] = ()
    """The generated tokens."""
    ended: bool = True
    """Whether the answer came to an end, and was not cut off at its longest length."""


@dataclass(frozen=True)
class Unanswered:
    """Why a prompt has no answer."""

    reason: str


Outcome = Answer | Unanswered


class AnswersPrompts(Protocol):
    """An engine: a loaded model that answers prompts."""

    batch_size: int
    """How many answers are written at a time."""

    @property
    def reader(self) -> Read:
        """Makes the prompts that `answer_all` takes; goes to worker processes, without the model."""

    def answer_all(
        self, prompts: Iterable[tuple[int, Example]], settings: GenerationSettings
    ) -> Iterator[tuple[int, Outcome]]:
        """Answers to numbered prompts, each as soon as it is finished; in place of one that cannot be had, the reason."""
