"""`ServedBase`: a loaded base model with the thread that computes on it, for all adapters of it."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

from videoguard.errors import UserError
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, GenerationSettings, Outcome, Unanswered
from videoguard.inference.label_form import LabelForm
from videoguard.inference.label_scores import LabelScorer
from videoguard.inference.shared_base import SharedBase
from videoguard.inference.structured.answers import CountedAnswer, generation_settings
from videoguard.models.loading import load_processor
from videoguard.models.preprocessing import Example, Preprocessor
from videoguard.prediction.models import AskedModel
from videoguard.serving.asking import Ask, Chore, Reply, Watching
from videoguard.serving.counters import Counters
from videoguard.serving.waiting import ClosedError, WaitingLine

# What comes after them depends on which answers were written side by side.
_DECIMALS = 4
_GRAMMARS_KEPT = 32
# How long a stream is judged at a turn.
_TURN_S = 0.25
_log = logging.getLogger(__name__)


class ServedBase:
    """Takes questions and streams from any thread, and works on them in one of its own.

    Questions of one adapter are written side by side, and join while others are under way; streams of the guard take turns
    with them.
    """

    def __init__(
        self,
        model: AskedModel,
        *,
        device: str,
        batch_size: int,
        max_new_tokens: int,
        labels: LabelForm | None,
        counters: Counters,
    ) -> None:
        """Load the base of a model.

        Raises:
            UserError: the model cannot be loaded.
        """
        self.base = model.base
        self.key = key_of(model)
        self._shared = SharedBase(model.base, device=device, **model.loaded)
        # Tokenizers are changed by those who use them; the thread of the model has its own.
        self._reading = Preprocessor(load_processor(model.base), model.base.family)
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._batch_size, self._longest = batch_size, max_new_tokens
        self._labels, self._counters = labels, counters
        self._grammars: OrderedDict[tuple[str | None, int], GenerationSettings] = OrderedDict()
        self._line = WaitingLine()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def require_fit(self, adapter: Path | None) -> None:
        """Raise `UserError` where an adapter was not trained on this base."""
        if adapter is not None:
            self._shared.require_fit(adapter)

    def ask(self, ask: Ask) -> "Future[Reply]":
        """Answer a question; its reply, or `ClosedError` where the base was replaced in the meantime."""
        try:
            self._readers.submit(self._read, ask)
        except RuntimeError:
            _fail(ask, ClosedError())
        return ask.done

    def watch(self, watching: Watching) -> "Future[None]":
        """Judge a stream; as `ask`."""
        try:
            self._line.put(watching)
        except ClosedError as closed:
            _fail(watching, closed)
        return watching.done

    def forget(self, adapter: Path) -> None:
        """Free an adapter that nobody will ask for any more, once what waits is done."""
        self._line.put(Chore(lambda: self._shared.forget(adapter)))

    def close(self) -> None:
        """Finish what was taken, and end the thread."""
        self._readers.shutdown()
        self._line.close()
        self._thread.join()

    def _read(self, ask: Ask) -> None:
        """Make the prompt of a question, beside the model's thread."""
        if ask.cancelled.is_set():
            return
        try:
            ask.prompt = self._reading.prompt(ask.messages, ask.shown)
            ask.shown = None
            self._line.put(ask)
        except UserError as misfit:
            _fail(ask, misfit)
        except Exception:  # noqa: BLE001  # as in `_run`
            _log.exception("a prompt could not be made")
            _fail(ask, RuntimeError("the prompt could not be made"))

    def _run(self) -> None:
        while (work := self._line.first()) is not None:
            try:
                if isinstance(work, Ask):
                    self._answer(work)
                elif isinstance(work, Watching):
                    self._judge(work)
                else:
                    work.run()
                    work.done.set_result(None)
            # The thread serves all clients: a fault costs those whose work it was, and is written down.
            except Exception as fault:  # noqa: BLE001
                _log.exception("the model's thread failed")
                _fail(work, fault if isinstance(fault, UserError) else RuntimeError("the model's thread failed"))

    def _answer(self, first: Ask) -> None:
        """Answer a question and all of its lane that come while it is under way."""
        with self._shared.using(first.adapter) as model:
            engine = Engine(model, self._shared.preprocessor, self._batch_size, _log.warning)
            lane = _Lane(first, self._line, self._counters, engine)
            try:
                settings = replace(self._settings(first, engine), cut=lane.cut)
                scorer = None if self._labels is None else LabelScorer(engine, self._labels)
                for number, outcome in engine.answer_all(lane, settings):
                    self._reply(lane.finish(number), outcome, scorer)
            except Exception:
                for ask in lane.under_way():
                    _fail(ask, RuntimeError("the model's thread failed"))
                raise

    def _settings(self, first: Ask, engine: Engine) -> GenerationSettings:
        """How a lane is answered; kept, since to make the grammar of a schema takes seconds with a large vocabulary."""
        _, how, length = first.lane
        key = how, length or self._longest
        if key not in self._grammars:
            self._grammars[key] = generation_settings(key[1], first.json, engine)
            if len(self._grammars) > _GRAMMARS_KEPT:
                self._grammars.popitem(last=False)
        self._grammars.move_to_end(key)
        return self._grammars[key]

    def _reply(self, ask: Ask, outcome: Outcome, scorer: LabelScorer | None) -> None:
        if ask.cancelled.is_set():
            return
        if isinstance(outcome, Unanswered):
            _fail(ask, UserError(outcome.reason))
            return
        reply = _told(ask, outcome)
        if ask.wants_labels and scorer is not None and ask.prompt is not None:
            (score,) = scorer.score([ask.prompt], [outcome.text])
            if score is not None:
                chances = {label: round(value, _DECIMALS) for label, value in score.probabilities.items()}
                reply = replace(reply, label=score.label, label_probabilities=chances)
        # Where nobody waits any more, the future is cancelled.
        with suppress(InvalidStateError):
            ask.done.set_result(reply)

    def _judge(self, watching: Watching) -> None:
        """Judge a stream for a while, then let others have their turn."""
        began = monotonic()
        with self._shared.using(watching.adapter) as model:
            if watching.events is None:
                watching.events = watching.begin(watching.guard(model, self._shared.preprocessor))
            for event in watching.events:
                watching.on_event(event)
                if watching.cancelled.is_set():
                    break
                if monotonic() - began > _TURN_S:
                    watching.since = monotonic()
                    self._line.put_back(watching)
                    return
        watching.done.set_result(None)


class _Lane(Iterator[tuple[int, Example] | None]):
    """Questions that are answered side by side, as the engine takes them in."""

    def __init__(self, first: Ask, line: WaitingLine, counters: Counters, engine: Engine) -> None:
        self._first: Ask | None = first
        self._lane = first.lane
        self._line, self._counters, self._engine = line, counters, engine
        self._asks: dict[int, Ask] = {}
        self._taken = 0

    def __next__(self) -> tuple[int, Example] | None:
        ask, self._first = self._first or self._line.next_of(self._lane), None
        while ask is not None and ask.cancelled.is_set():
            ask = self._line.next_of(self._lane)
        if ask is None:
            if not self._asks:
                raise StopIteration
            return None
        assert ask.prompt is not None
        number, self._taken = self._taken, self._taken + 1
        self._asks[number] = ask
        self._counters.batch.observe(len(self._asks))
        return number, ask.prompt

    def cut(self, number: int, tokens: Sequence[int]) -> bool:
        """Whether an answer is as long as it may be, or nobody waits for it."""
        ask = self._asks[number]
        if ask.on_text is not None:
            ask.on_text(self._engine.finish(tokens, 0.0, ended=True).text)
        return len(tokens) >= ask.max_new_tokens or ask.cancelled.is_set()

    def finish(self, number: int) -> Ask:
        """The question that has its outcome."""
        return self._asks.pop(number)

    def under_way(self) -> list[Ask]:
        """The questions without one."""
        return list(self._asks.values())


def key_of(model: AskedModel) -> object:
    """Models with the same key are served by one base."""
    return model.base.digest, tuple(sorted(model.loaded.items()))


def _told(ask: Ask, answer: Answer) -> Reply:
    counted = CountedAnswer(answer.text) if ask.json is None else ask.json.count(answer)
    mean = answer.mean_token_logprob
    return Reply(
        answer=counted.answer,
        generated=counted.generated,
        mean_token_logprob=None if mean is None else round(mean, _DECIMALS),
        new_tokens=answer.new_tokens,
        ended=answer.ended,
        prompt_tokens=0 if ask.prompt is None else len(ask.prompt["input_ids"]),
    )


def _fail(work: Ask | Watching | Chore, fault: Exception) -> None:
    with suppress(InvalidStateError):
        work.done.set_exception(fault)
