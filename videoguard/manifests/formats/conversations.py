"""`{"video", "conversations": [{"from": "human", "value"}, {"from": "gpt", "value"}]}` (QVED, LLaVA)."""

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.exchanges import CONVERSATIONS, questions_of, read_turns, write_turns
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample


def _read(row: Row) -> Sample | None:
    video = row.media(row.get("video"), "video")
    turns = read_turns(row, CONVERSATIONS)
    return row.sample(video=video, question=turns.question, answer=turns.answer, history=turns.history, system=turns.system)


def _write(sample: Sample) -> dict[str, object]:
    first, *others = questions_of(sample)
    return {
        "video": sample.video,
        "conversations": write_turns(sample, CONVERSATIONS, [f"<video>\n{first}", *others]),
    }


FORMAT = ManifestFormat(
    name="conversations",
    fields=frozenset({"video", "conversations"}),
    nested=frozenset({"conversations"}),
    needs=frozenset({"video", "question", "answer"}),
    holds=frozenset({"video", "question", "answer", "history", "system"}),
    recognises=lambda row: "conversations" in row,
    read=_read,
    write=_write,
)
