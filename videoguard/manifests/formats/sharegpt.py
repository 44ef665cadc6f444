"""`{"messages": [{"role", "content": "<video>What is it?"}, …], "videos": ["a.mp4"]}` (ShareGPT, as LLaMA-Factory has it).

The turns may also be `conversations` of `from` and `value`; `images` with `<image>` stand for an image list. There must be
one placeholder for each file.
"""

from collections.abc import Mapping

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.exchanges import (
    CONVERSATIONS,
    MESSAGES,
    TurnNames,
    conversation_sample,
    questions_of,
    read_turns,
    write_turns,
)
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample


def _read(row: Row) -> Sample | None:
    names = MESSAGES if "messages" in row.content else CONVERSATIONS
    placeholders = {"<video>": 0, "<image>": 0}

    def read_question(content: object, field: str) -> str:
        for placeholder in placeholders:
            placeholders[placeholder] += content.count(placeholder) if isinstance(content, str) else 0
        return row.question(content, field)

    turns = read_turns(row, names, question=read_question)
    videos = _files(row, "videos", placeholders["<video>"], names)
    images = _files(row, "images", placeholders["<image>"], names)
    return conversation_sample(row, turns, videos, images)


def _files(row: Row, field: str, placeholders: int, names: TurnNames) -> list[str]:
    listed = row.optional_items(row.get(field), field)
    # Where the turns are refused, nobody counted.
    if len(listed) != placeholders and not any(problem.field == names.field for problem in row.problems):
        placeholder = f"<{field.removesuffix('s')}>"
        row.refuse(
            field, f"lists {len(listed)} and the questions hold {placeholders} {placeholder}: there must be one of each"
        )
    return [row.media(name, f"{field}[{place}]") for place, name in enumerate(listed)]


def _write(sample: Sample) -> dict[str, object]:
    first, *others = questions_of(sample)
    placeholders = "<video>" if sample.video is not None else "<image>" * len(sample.images)
    written: dict[str, object] = {"messages": write_turns(sample, MESSAGES, [placeholders + first, *others])}
    return written | ({"videos": [sample.video]} if sample.video is not None else {"images": list(sample.images)})


def _recognises(row: Mapping[str, object]) -> bool:
    return ("videos" in row or "images" in row) and ("messages" in row or "conversations" in row)


FORMAT = ManifestFormat(
    name="sharegpt",
    fields=frozenset({"messages", "conversations", "videos", "images"}),
    nested=frozenset({"messages", "conversations", "videos", "images"}),
    needs=frozenset({"question", "answer"}),
    holds=frozenset({"video", "images", "question", "answer", "history", "system"}),
    recognises=_recognises,
    read=_read,
    write=_write,
)
