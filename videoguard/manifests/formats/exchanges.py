"""Turns of a conversation as exchanges: what the conversations, messages and ShareGPT formats share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from videoguard.manifests.fields import Row, show
from videoguard.manifests.sample import Exchange, Sample


@dataclass(frozen=True, slots=True)
class TurnNames:
    """How a format writes the turns of a conversation."""

    field: str
    role: str
    content: str
    asking: str
    answering: str

    def of(self, position: int) -> str:
        """The field of a turn's content."""
        return f"{self.field}[{position}].{self.content}"


CONVERSATIONS = TurnNames("conversations", "from", "value", "human", "gpt")
MESSAGES = TurnNames("messages", "role", "content", "user", "assistant")

_SAME_ROLE = {"human": "user", "gpt": "assistant"}
Read = Callable[[object, str], str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns of a row: a system message, earlier exchanges, and the one that is learnt."""

    system: str | None
    history: tuple[Exchange, ...]
    question: str
    answer: str


def read_turns(row: Row, names: TurnNames, *, question: Read | None = None, answer: Read | None = None) -> Conversation:
    """The conversation of a row; what is refused is noted on the row, and empty here.

    Args:
        row: with the turns in the field that `names` tells.
        names: how the format writes turns.
        question: reads the content of a turn that asks; as a text when None.
        answer: reads the content of any other turn; as a text when None.
    """
    question, answer = question or row.question, answer or row.text
    turns = row.get(names.field)
    nothing = Conversation(None, (), "", "")
    if not isinstance(turns, list) or not turns:
        wanted = f"a list of a {names.asking} turn and a {names.answering} turn"
        row.refuse(names.field, f"is {show(turns)}: it must be {wanted}")
        return nothing
    roles = [turn.get(names.role) if isinstance(turn, dict) else None for turn in turns]
    first = 1 if roles[0] == "system" else 0
    if not _alternate(roles[first:]):
        told = ", ".join(role if isinstance(role, str) else "none" for role in roles)
        row.refuse(
            names.field, f"has turns from {show(told)[1:-1]}: they must be from {names.asking} and {names.answering} in turn"
        )
        return nothing
    contents = [turn.get(names.content) for turn in turns]
    system = answer(contents[0], names.of(0)) if first else None
    exchanges = [
        Exchange(
            question(contents[position], names.of(position)),
            answer(contents[position + 1], names.of(position + 1)),
        )
        for position in range(first, len(turns), 2)
    ]
    return Conversation(system, tuple(exchanges[:-1]), exchanges[-1].question, exchanges[-1].answer)


def conversation_sample(row: Row, turns: Conversation, videos: Sequence[str], images: Sequence[str]) -> Sample | None:
    """The sample of a conversation about one video, or about images, or about neither."""
    if len(videos) > 1:
        row.refuse("videos", f"are {len(videos)}: a row may show one video; make a row of each")
    if videos and images:
        row.refuse("images", f"are {len(images)} beside a video: a row may show a video or images, not both")
    return row.sample(
        question=turns.question,
        answer=turns.answer,
        video=videos[0] if videos else None,
        images=tuple(images),
        history=turns.history,
        system=turns.system,
    )


def write_turns(sample: Sample, names: TurnNames, questions: Sequence[object]) -> list[dict[str, object]]:
    """The turns of a sample, its questions written as `questions`: those of its history, then its own."""
    answers = [*(exchange.answer for exchange in sample.history), sample.answer]
    turns: list[dict[str, object]] = []
    if sample.system is not None:
        turns.append({names.role: "system", names.content: sample.system})
    for asked, answered in zip(questions, answers, strict=True):
        turns.append({names.role: names.asking, names.content: asked})
        turns.append({names.role: names.answering, names.content: answered})
    return turns


def questions_of(sample: Sample) -> list[str]:
    """Every question of a sample, its own last."""
    return [*(exchange.question for exchange in sample.history), sample.question]


def _alternate(roles: Sequence[object]) -> bool:
    """Whether each asking turn is answered; both names of a role are understood in every format."""
    known = [_SAME_ROLE.get(role, role) if isinstance(role, str) else None for role in roles]
    return bool(known) and known == ["user", "assistant"] * (len(known) // 2)
