"""What is asked of a base's thread, and what it gives back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic

from peft import PeftModel
from transformers import PreTrainedModel

from videoguard.dataset.messages import Message
from videoguard.inference.guard.guard import StreamingGuard
from videoguard.inference.structured.answers import JsonAnswers
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import Example, Preprocessor


@dataclass(frozen=True)
class Reply:
    """An answer as the service tells it."""

    answer: str
    generated: str | None
    """What the model wrote, where a repair changed it."""
    mean_token_logprob: float | None
    new_tokens: int
    ended: bool
    prompt_tokens: int = 0
    label: str | None = None
    label_probabilities: Mapping[str, float] | None = None


@dataclass(eq=False)
class Ask:
    """One question to one model, from its arrival to its reply."""

    adapter: Path | None
    messages: Sequence[Message]
    shown: TimedFrames | None
    max_new_tokens: int
    json: JsonAnswers | None = None
    wants_labels: bool = False
    on_text: Callable[[str], None] | None = None
    """Told of all that is written so far, after each token; called in the thread of the base."""
    done: "Future[Reply]" = field(default_factory=Future)
    """`UserError` where the model cannot answer; `RuntimeError` where the service failed."""
    cancelled: Event = field(default_factory=Event)
    """Set where nobody waits for the reply any more."""
    since: float = field(default_factory=monotonic)
    prompt: Example | None = None
    """What the model reads; made before the question waits for the model."""

    @property
    def lane(self) -> tuple[Path | None, str | None, int | None]:
        """Questions of one lane are answered side by side: adapter, form of the answer, and its length where that counts."""
        how = None if self.json is None else repr(self.json.decisions)
        # A grammar is made for a length.
        return self.adapter, how, self.max_new_tokens if self.json is not None and self.json.constrained else None


@dataclass(eq=False)
class Watching:
    """One stream that the guard judges, a few frames at a turn."""

    adapter: Path | None
    begin: Callable[[StreamingGuard], Iterator[object]]
    """Begins to judge; each step of the iterator is a frame or the end of a clip."""
    guard: Callable[[PreTrainedModel | PeftModel, Preprocessor], StreamingGuard]
    """Makes the guard of a loaded model."""
    on_event: Callable[[object], None]
    """Called in the thread of the base."""
    done: "Future[None]" = field(default_factory=Future)
    cancelled: Event = field(default_factory=Event)
    since: float = field(default_factory=monotonic)
    events: Iterator[object] | None = None

    @property
    def lane(self) -> object:
        """Nothing stands beside a stream."""
        return self


@dataclass(eq=False)
class Chore:
    """Something else that must not happen while the model computes."""

    run: Callable[[], None]
    done: "Future[None]" = field(default_factory=Future)
    since: float = field(default_factory=monotonic)

    @property
    def lane(self) -> object:
        """Nothing stands beside it."""
        return self


Work = Ask | Watching | Chore
