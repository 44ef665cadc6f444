"""`{"video", "question", "answer"}`."""

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample


def _read(row: Row) -> Sample | None:
    return row.sample(
        video=row.media(row.get("video"), "video"),
        question=row.question(row.get("question"), "question"),
        answer=row.text(row.get("answer"), "answer"),
    )


def _write(sample: Sample) -> dict[str, object]:
    return {"video": sample.video, "question": sample.question, "answer": sample.answer}


FORMAT = ManifestFormat(
    name="flat",
    fields=frozenset({"video", "question", "answer"}),
    needs=frozenset({"video", "question", "answer"}),
    holds=frozenset({"video", "question", "answer"}),
    recognises=lambda row: "question" in row or "answer" in row,
    read=_read,
    write=_write,
)
