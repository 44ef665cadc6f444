"""Greedy answers of a loaded model to any number of prompts."""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from peft import PeftModel
from transformers import PreTrainedModel
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from videoguard.errors import UserError
from videoguard.inference.decoding import Sequences, start
from videoguard.inference.generation import Answer, Constraint, GenerationSettings, Outcome, Read, Stop, Unanswered
from videoguard.models.memory import telling_exhaustion
from videoguard.models.preprocessing import Example, Preprocessor
from videoguard.subprocesses import MemoryExhaustedError

# Sequences that come in cost a pass over their prompts, and those that go a copy of what is remembered of the others: both
# wait until this share of the batch has changed.
_CHANGED_SHARE = 0.25

Note = Callable[[str], None]


class Engine:
    """A loaded model that answers prompts.

    Args:
        model: with adapters or without.
        preprocessor: of the model.
        batch_size: how many answers are written at a time.
        note: called with what a user should know of: that less was possible than was asked for.
    """

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        preprocessor: Preprocessor,
        batch_size: int = 32,
        note: Note = lambda message: None,
    ) -> None:
        self.model = model
        self.preprocessor = preprocessor
        self.device = model.device
        self.batch_size = batch_size
        """How many answers are written at a time; less than was asked for once the memory did not suffice."""
        self._note = note
        self._ends = frozenset({*preprocessor.ends, *_own_ends(model)})

    @property
    def ends(self) -> list[int]:
        """Tokens that end an answer."""
        return sorted(self._ends)

    @property
    def vocabulary(self) -> int:
        """Tokens that the model gives a score to; its tokenizer may have fewer."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together that the model reads at most; None where it does not say."""
        longest = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return None if longest is None else int(longest)

    @property
    def reader(self) -> Read:
        """Makes the prompts that `answer_all` takes."""
        return self.preprocessor.prompt

    def answer(self, prompts: Sequence[Example], settings: GenerationSettings) -> list[Answer]:
        """Answers to prompts, in their order.

        Raises:
            UserError: one of them cannot be answered.
        """
        outcomes = dict(self.answer_all(enumerate(prompts), settings))
        answers = []
        for number in range(len(prompts)):
            outcome = outcomes[number]
            if isinstance(outcome, Unanswered):
                raise UserError(outcome.reason)
            answers.append(outcome)
        return answers

    def answer_all(
        self, prompts: Iterable[tuple[int, Example] | None], settings: GenerationSettings
    ) -> Iterator[tuple[int, Outcome]]:
        """Answers to numbered prompts, each as soon as it is finished; in place of one that cannot be had, the reason.

        Prompts are taken in as others are finished; None among them says that there is none now, and may be one later. Where
        the memory does not suffice, fewer are answered at a time from then on, and those that were under way are begun
        again: a greedy answer does not depend on it.
        """
        answering = _Answering(self, settings, iter(prompts))
        while not answering.is_over:
            exhausted = None
            try:
                with telling_exhaustion():
                    answering.advance(self.batch_size)
            except MemoryExhaustedError as fault:
                exhausted = str(fault)
            # Only here are the frames gone that held the tensors of a failed step.
            yield from answering.drain()
            if exhausted is not None:
                self._make_room(answering, exhausted)
                yield from answering.drain()

    def read(self, prompts: Sequence[Example]) -> Sequences:
        """What the model makes of prompts, padded on the left into one batch: where their answers begin."""
        batch = self.preprocessor.collate(prompts, side="left")
        moved = {name: tensor.to(self.device) for name, tensor in batch.items()}
        return start(self.model, moved, int(self.preprocessor.tokenizer.pad_token_id))

    def finish(self, tokens: Sequence[int], logprob: float, *, ended: bool) -> Answer:
        """The answer of generated tokens, whose log-probabilities sum up to `logprob`."""
        mean = logprob / len(tokens) if tokens else None
        text = self.preprocessor.decode(torch.tensor(tokens, dtype=torch.long))
        return Answer(text, len(tokens), mean, tuple(tokens), ended)

    def is_end(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return token in self._ends

    def _make_room(self, answering: "_Answering", reason: str) -> None:
        under_way = answering.give_up()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if under_way == 1:
            answering.refuse_first(f"it does not fit into memory, even alone: {reason}")
            return
        self.batch_size = under_way // 2
        self._note(f"out of memory with {under_way} answers at a time: now {self.batch_size}")


@dataclass
class _Row:
    """An answer that is being written."""

    number: int
    prompt: Example
    longest: int
    """Tokens."""
    stops: list[Stop]
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    """Sum over the tokens."""
    over: bool = False
    """Whether it has its outcome, and only takes part until it is taken out."""


class _Answering:
    """One call of the engine: what waits and what is under way."""

    def __init__(self, engine: Engine, settings: GenerationSettings, prompts: Iterator[tuple[int, Example] | None]) -> None:
        self._engine = engine
        self._settings = settings
        self._prompts = prompts
        self._constraint: Constraint | None = settings.constraint() if settings.constraint is not None else None
        self._waiting: deque[tuple[int, Example]] = deque()
        self._coming: list[_Row] = []
        self._rows: list[_Row] = []
        self._sequences: Sequences | None = None
        """Of `_rows`, in their order."""
        self._finished: list[tuple[int, Outcome]] = []
        self._exhausted = False
        # Where the weights are spread over processes, all must take every step.
        self._lockstep = is_deepspeed_zero3_enabled()

    @property
    def is_over(self) -> bool:
        """Whether all prompts have their outcome."""
        return self._exhausted and not (self._waiting or self._coming or self._rows)

    def drain(self) -> list[tuple[int, Outcome]]:
        """The outcomes since the last call."""
        finished, self._finished = self._finished, []
        return finished

    @torch.inference_mode()
    def advance(self, batch_size: int) -> None:
        """Take in prompts that there is room for, and write one token of each row."""
        self._take_in(batch_size)
        if self._sequences is None:
            return
        chosen = self._choose(self._sequences)
        self._take_out(self._sequences, chosen)

    def give_up(self) -> int:
        """Forget what is under way, which waits again; how many these were."""
        rows = [*(row for row in self._rows if not row.over), *self._coming]
        self._waiting.extendleft((row.number, row.prompt) for row in reversed(rows))
        self._rows, self._coming, self._sequences = [], [], None
        return len(rows)

    def refuse_first(self, reason: str) -> None:
        """Give up the first prompt that waits."""
        number, _ = self._waiting.popleft()
        self._finished.append((number, Unanswered(reason)))

    def _take_in(self, batch_size: int) -> None:
        room = batch_size - len(self._rows)
        if self._sequences is not None:
            fixed = self._lockstep or not self._sequences.can_join
            if fixed or room < max(1, batch_size * _CHANGED_SHARE):
                return
        while len(self._coming) < room and (taken := self._next()) is not None:
            self._admit(*taken)
        while self._coming:
            self._read(len(self._coming))

    def _next(self) -> tuple[int, Example] | None:
        if self._waiting:
            return self._waiting.popleft()
        try:
            return next(self._prompts)
        except StopIteration:
            self._exhausted = True
            return None

    def _admit(self, number: int, prompt: Example) -> None:
        length, context = len(prompt["input_ids"]), self._engine.context
        longest = self._settings.max_new_tokens
        if context is not None and length >= context:
            reason = (
                f"the prompt has {length:,} tokens, and the model reads at most {context:,} with the answer: "
                "take fewer or smaller frames, or a shorter question"
            )
            self._finished.append((number, Unanswered(reason)))
            return
        if context is not None and not self._lockstep:
            longest = min(longest, context - length)
        self._coming.append(_Row(number, prompt, longest, [make() for make in self._settings.stops]))

    def _read(self, together: int) -> None:
        """Read as many of the first prompts as `together`, or as fit into one batch."""
        rows = self._coming[:together]
        try:
            read = self._engine.read([row.prompt for row in rows])
        except UserError as misfit:
            if together > 1:
                self._read(together // 2)
            else:
                self._finished.append((self._coming.pop(0).number, Unanswered(str(misfit))))
            return
        if self._sequences is None:
            self._sequences = read
        else:
            self._sequences.join(read)
        self._rows += rows
        del self._coming[:together]

    def _choose(self, sequences: Sequences) -> torch.Tensor:
        """The next token of each row, `(rows,)`; the outcomes of what is finished with it."""
        scores = sequences.scores()
        if self._constraint is not None:
            self._limit(self._constraint, scores)
        chosen = scores.argmax(dim=-1)
        logits = sequences.logits
        logprobs = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
        for row, token, logprob in zip(self._rows, chosen.tolist(), logprobs.tolist(), strict=True):
            if not row.over:
                self._append(row, token, logprob)
        return chosen

    def _limit(self, constraint: Constraint, scores: torch.Tensor) -> None:
        places = [place for place, row in enumerate(self._rows) if not row.over]
        rows = [self._rows[place] for place in places]
        limited = scores if len(places) == len(self._rows) else scores[places]
        constraint.limit([row.number for row in rows], [row.tokens for row in rows], limited)
        if limited is not scores:
            scores[places] = limited

    def _append(self, row: _Row, token: int, logprob: float) -> None:
        row.tokens.append(token)
        row.logprob += logprob
        stopped = [stop(row.tokens) for stop in row.stops]
        ended = self._engine.is_end(token) or any(stopped)
        cut = self._settings.cut is not None and self._settings.cut(row.number, row.tokens)
        if ended or cut or len(row.tokens) == row.longest:
            row.over = True
            self._finished.append((row.number, self._engine.finish(row.tokens, row.logprob, ended=ended)))

    def _take_out(self, sequences: Sequences, chosen: torch.Tensor) -> None:
        """Go on with the rows that are not finished."""
        going = [place for place, row in enumerate(self._rows) if not row.over]
        steps = sequences.steps + 1
        if not going and not (self._lockstep and steps < self._settings.max_new_tokens):
            self._rows, self._sequences = [], None
            return
        if len(self._rows) - len(going) >= len(self._rows) * _CHANGED_SHARE and not self._lockstep:
            kept = torch.tensor(going, device=chosen.device)
            sequences.keep(kept)
            chosen = chosen[kept]
            self._rows = [self._rows[place] for place in going]
        sequences.go_on(chosen)


def _own_ends(model: PreTrainedModel | PeftModel) -> list[int]:
    """Tokens at which the model says that it stops."""
    named = model.generation_config.eos_token_id
    return [named] if isinstance(named, int) else list(named or ())
