"""`{"video_path", "labels": ["plank", …], "labels_descriptive": "plank - lower the hips"}` (QVED).

This is `fine_grained_labels.json`. The first label is the exercise. The others, which name a form of it, are told as not
read: the description says more.
"""

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.feedbacks import QUESTION
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample


def _read(row: Row) -> Sample | None:
    video = row.media(row.get("video_path"), "video_path")
    labels = row.items(row.get("labels"), "labels")
    if len(labels) > 1:
        row.unread.append("labels after the first")
    return row.sample(
        video=video,
        question=QUESTION,
        answer=_description(row),
        label=row.text(labels[0], "labels[0]") if labels else "",
    )


def _description(row: Row) -> str:
    """The description: one text, or several that belong together."""
    value = row.get("labels_descriptive")
    if not isinstance(value, list):
        return row.text(value, "labels_descriptive")
    texts = row.items(value, "labels_descriptive")
    return "\n".join(row.text(text, f"labels_descriptive[{place}]") for place, text in enumerate(texts))


def _write(sample: Sample) -> dict[str, object]:
    return {"video_path": sample.video, "labels": [sample.label], "labels_descriptive": sample.answer}


FORMAT = ManifestFormat(
    name="fine_grained",
    fields=frozenset({"video_path", "labels", "labels_descriptive"}),
    nested=frozenset({"labels"}),
    needs=frozenset({"video", "answer", "label"}),
    holds=frozenset({"video", "answer", "label"}),
    recognises=lambda row: "labels_descriptive" in row or {"video_path", "labels"} <= row.keys(),
    read=_read,
    write=_write,
    question=QUESTION,
)
