"""`{"video", "label"}`, or one object that maps videos to labels: the label is the wanted answer."""

from collections.abc import Mapping

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample

QUESTION = "Which action or exercise does this video show?"
"""Asked of every video; `dataset.question` of the recipe asks another."""


def _read(row: Row) -> Sample | None:
    value = row.get("label")
    label = row.text(str(value) if type(value) is int else value, "label")
    return row.sample(video=row.media(row.get("video"), "video"), question=QUESTION, answer=label, label=label)


def _write(sample: Sample) -> dict[str, object]:
    return {"video": sample.video, "label": sample.label}


def _recognises(row: Mapping[str, object]) -> bool:
    return {"video", "label"} <= row.keys()


FORMAT = ManifestFormat(
    name="classes",
    fields=frozenset({"video", "label"}),
    needs=frozenset({"video", "label"}),
    holds=frozenset({"video", "label"}),
    recognises=_recognises,
    read=_read,
    write=_write,
    question=QUESTION,
)
