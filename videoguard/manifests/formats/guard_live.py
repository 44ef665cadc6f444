"""`{"path", "label": "unsafe:C3", "segments": [{"start": 3.0, "end": 6.0}]}`: where in a video something unsafe is seen.

Times are seconds. A segment has the labels of its video, or its own in `label`.
"""

from collections.abc import Mapping

from videoguard.manifests.fields import Row, show
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.formats.guard_categories import QUESTION, SAFE, class_of, read_labels
from videoguard.manifests.sample import GuardAnnotation, Sample, Segment


def _read(row: Row) -> Sample | None:
    video = row.media(row.get("path"), "path")
    label = row.text(row.get("label"), "label")
    labels = read_labels(row, label, "label")
    segments = tuple(
        _segment(row, entry, labels, f"segments[{place}]")
        for place, entry in enumerate(row.optional_items(row.get("segments"), "segments"))
    )
    if not all(segment.labels for segment in segments) and not row.problems:
        row.refuse("segments", f"have no category, and the video is labelled {show(label)}: a safe part is no segment")
    return row.sample(
        video=video, question=QUESTION, answer=None, label=class_of(labels), guard=GuardAnnotation(labels, segments)
    )


def _segment(row: Row, entry: object, labels: tuple[str, ...], field: str) -> Segment:
    said = row.mapping(entry, field)
    start, end = row.seconds(said.get("start"), f"{field}.start"), row.seconds(said.get("end"), f"{field}.end")
    if end <= start and not row.problems:
        row.refuse(field, f"runs from {start:g} s to {end:g} s: it must end after it begins")
    own = read_labels(row, said["label"], f"{field}.label") if said.get("label") is not None else labels
    return Segment(own, start, end)


def _write(sample: Sample) -> dict[str, object]:
    assert sample.guard is not None
    guard = sample.guard
    return {
        "path": sample.video,
        "label": _write_labels(guard.labels),
        "segments": [_write_segment(segment, guard.labels) for segment in guard.segments if _is_live(segment)],
    }


def _is_live(segment: Segment) -> bool:
    return bool(segment.labels) and segment.start is not None


def _write_segment(segment: Segment, labels: tuple[str, ...]) -> dict[str, object]:
    written: dict[str, object] = {"start": segment.start, "end": segment.end}
    return written if segment.labels == labels else {**written, "label": _write_labels(segment.labels)}


def _write_labels(labels: tuple[str, ...]) -> str:
    return f"unsafe:{','.join(labels)}" if labels else SAFE


def _recognises(row: Mapping[str, object]) -> bool:
    return {"path", "segments"} <= row.keys() or {"path", "label"} <= row.keys()


FORMAT = ManifestFormat(
    name="guard_live",
    fields=frozenset({"path", "label", "segments"}),
    nested=frozenset({"segments"}),
    needs=frozenset({"video", "guard"}),
    holds=frozenset({"video", "label", "guard"}),
    recognises=_recognises,
    read=_read,
    write=_write,
    question=QUESTION,
)
