"""`{"messages": [{"role", "content": [{"type": "video", "video"}, {"type": "text", "text"}]}]}` (OpenAI, Qwen).

Content parts are texts, images and videos; `image_url` and `video_url` are understood where they name files. A content
may be one text. All media are shown before the first question, wherever they stand in the user's messages.
"""

from videoguard.manifests.fields import Row, show
from videoguard.manifests.formats.exchanges import MESSAGES, conversation_sample, questions_of, read_turns, write_turns
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample

_MEDIA = {"image": "image", "image_url": "image", "video": "video", "video_url": "video"}


class _Contents:
    """Reads the contents of the turns of one row, and gathers their media."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.images: list[str] = []
        self.videos: list[str] = []

    def question(self, content: object, field: str) -> str:
        texts = self._texts(content, field, media=True)
        return "" if texts is None else self._row.question(texts, field)

    def answer(self, content: object, field: str) -> str:
        texts = self._texts(content, field, media=False)
        return "" if texts is None else self._row.text(texts, field)

    def _texts(self, content: object, field: str, *, media: bool) -> object:
        """The texts of a content, joined; anything but a list of parts as it is, and None where a part is refused."""
        if not isinstance(content, list):
            return content if content is not None else ""
        refused = len(self._row.problems)
        texts: list[str] = []
        for place, part in enumerate(content):
            here = f"{field}[{place}]"
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text":
                texts.append(self._row.text(part.get("text"), f"{here}.text"))
            elif media and isinstance(kind, str) and kind in _MEDIA:
                self._add(_MEDIA[kind], part.get(kind), f"{here}.{kind}")
            else:
                kinds = "text, image or video" if media else "text"
                self._row.refuse(here, f"is {show(part)}: it must be a part of type {kinds}")
        return "\n".join(texts) if len(self._row.problems) == refused else None

    def _add(self, kind: str, value: object, field: str) -> None:
        if isinstance(value, dict):
            value, field = value.get("url"), f"{field}.url"
        names = self.videos if kind == "video" else self.images
        names.append(self._row.media(value, field))


def _read(row: Row) -> Sample | None:
    contents = _Contents(row)
    turns = read_turns(row, MESSAGES, question=contents.question, answer=contents.answer)
    return conversation_sample(row, turns, contents.videos, contents.images)


def _write(sample: Sample) -> dict[str, object]:
    first, *others = questions_of(sample)
    shown = [("video", sample.video)] if sample.video is not None else [("image", image) for image in sample.images]
    contents = [[*({"type": kind, kind: name} for kind, name in shown), _text(first)], *([_text(other)] for other in others)]
    turns = write_turns(sample, MESSAGES, contents)
    return {"messages": [{**turn, "content": _parts(turn["content"])} for turn in turns]}


def _text(text: object) -> dict[str, object]:
    return {"type": "text", "text": text}


def _parts(content: object) -> object:
    return content if isinstance(content, list) else [_text(content)]


FORMAT = ManifestFormat(
    name="messages",
    fields=frozenset({"messages"}),
    nested=frozenset({"messages"}),
    needs=frozenset({"question", "answer"}),
    holds=frozenset({"video", "images", "question", "answer", "history", "system"}),
    recognises=lambda row: "messages" in row,
    read=_read,
    write=_write,
)
