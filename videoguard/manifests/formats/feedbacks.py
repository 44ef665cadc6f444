"""`{"video_path", "feedbacks": ["plank - lower the hips"]}` (QVED, `feedbacks_short_clips.json`)."""

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample

QUESTION = "Which exercise is this person doing, and what should they correct?"
"""Asked of every video; `dataset.question` of the recipe asks another."""


def _read(row: Row) -> Sample | None:
    feedbacks = row.items(row.get("feedbacks"), "feedbacks")
    texts = [row.text(feedback, f"feedbacks[{place}]") for place, feedback in enumerate(feedbacks)]
    return row.sample(
        video=row.media(row.get("video_path"), "video_path"),
        question=QUESTION,
        answer="\n".join(texts),
    )


def _write(sample: Sample) -> dict[str, object]:
    return {"video_path": sample.video, "feedbacks": [sample.answer]}


FORMAT = ManifestFormat(
    name="feedbacks",
    fields=frozenset({"video_path", "feedbacks"}),
    nested=frozenset({"feedbacks"}),
    needs=frozenset({"video", "answer"}),
    holds=frozenset({"video", "answer"}),
    recognises=lambda row: "feedbacks" in row,
    read=_read,
    write=_write,
    question=QUESTION,
)
