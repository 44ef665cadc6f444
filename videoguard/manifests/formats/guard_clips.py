"""Videos cut into labelled clips (Video-Guard): `full_video_path`, `clip_video_paths`, `clip_video_labels`, annotations.

`clip_video_annotations` is optional. What follows from other fields (`label_ids`, `clip_descriptions`) is not read.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from videoguard.manifests.fields import Row, show
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.formats.guard_categories import QUESTION, class_of, guardrail_of, read_labels, response
from videoguard.manifests.sample import GuardAnnotation, Sample, Segment

_TIME_RANGE = re.compile(r"(\d{2})(\d{2})(\d{2})_(\d{2})(\d{2})(\d{2})")
_WHOLE = "full_video_annotation"
_CLIPS = "clip_video_annotations"


def _read(row: Row) -> Sample | None:
    video = row.media(row.get("full_video_path"), "full_video_path")
    whole = row.mapping(row.get(_WHOLE), _WHOLE)
    description = row.text(whole.get("description"), f"{_WHOLE}.description") if whole else ""
    labels = read_labels(row, whole.get("labels"), f"{_WHOLE}.labels")
    _check_guardrail(row, whole.get("guardrail"), labels)
    if whole.get("subcategories"):
        row.unread.append(f"{_WHOLE}.subcategories")
    return row.sample(
        video=video,
        question=QUESTION,
        answer=response(description, labels),
        label=class_of(labels),
        guard=GuardAnnotation(labels, _segments(row), description),
    )


def _check_guardrail(row: Row, value: object, labels: Sequence[str]) -> None:
    """Refuse a guardrail that says something else than the labels."""
    if value is None:
        return
    field = f"{_WHOLE}.guardrail"
    said = row.mapping(value, field)
    seen = read_labels(row, [name for name, state in said.items() if state is True], field)
    if not all(isinstance(state, bool) for state in said.values()):
        row.refuse(field, f"is {show(value)}: it must map categories to true or false")
    elif seen != tuple(labels):
        row.refuse(field, f"says {class_of(seen)} and the labels say {class_of(labels)}: they must agree")


def _segments(row: Row) -> tuple[Segment, ...]:
    paths = row.items(row.get("clip_video_paths"), "clip_video_paths")
    labels = row.optional_items(row.get("clip_video_labels"), "clip_video_labels")
    annotations = row.optional_items(row.get(_CLIPS), _CLIPS)
    for field, found, is_optional in (("clip_video_labels", labels, False), (_CLIPS, annotations, True)):
        if len(found) != len(paths) and not (is_optional and not found):
            row.refuse(field, f"has {len(found)} entries: it must have one for each of {len(paths)} clips")
            return ()
    return tuple(
        _segment(row, place, path, labels[place], annotations[place] if annotations else {})
        for place, path in enumerate(paths)
    )


def _segment(row: Row, place: int, path: object, labels: object, annotation: object) -> Segment:
    field = f"{_CLIPS}[{place}]"
    known = read_labels(row, labels, f"clip_video_labels[{place}]")
    said = row.mapping(annotation, field)
    if said.get("labels") is not None:
        again = read_labels(row, said["labels"], f"{field}.labels")
        if again != known:
            row.refuse(f"{field}.labels", f"says {class_of(again)} and clip_video_labels {class_of(known)}: they must agree")
    start, end = _time_range(row, said.get("time_range"), f"{field}.time_range")
    return Segment(
        labels=known,
        start=start,
        end=end,
        video=row.media(path, f"clip_video_paths[{place}]"),
        description=row.optional_text(said.get("description"), f"{field}.description"),
    )


def _time_range(row: Row, value: object, field: str) -> tuple[float | None, float | None]:
    """Seconds of `HHMMSS_HHMMSS`."""
    if value is None:
        return None, None
    parts = _TIME_RANGE.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        row.refuse(field, f"is {show(value)}: it must read HHMMSS_HHMMSS, such as 000130_000135")
        return None, None
    numbers = [int(part) for part in parts.groups()]
    start, end = (hours * 3600 + minutes * 60 + seconds for hours, minutes, seconds in (numbers[:3], numbers[3:]))
    if end <= start:
        row.refuse(field, f"is {show(value)}: it must end after it begins")
    return float(start), float(end)


def _write(sample: Sample) -> dict[str, object]:
    assert sample.guard is not None
    guard, segments = sample.guard, sample.guard.segments
    return {
        "full_video_path": sample.video,
        "clip_video_paths": [segment.video for segment in segments],
        "clip_video_labels": [list(segment.labels) for segment in segments],
        _WHOLE: {
            "labels": list(guard.labels),
            "description": guard.description,
            "guardrail": guardrail_of(guard.labels),
        },
        _CLIPS: [_write_annotation(segment) for segment in segments],
    }


def _write_annotation(segment: Segment) -> dict[str, object]:
    written: dict[str, object] = {"labels": list(segment.labels)}
    if segment.video is not None:
        written["clip_name"] = PurePosixPath(segment.video).name
    if segment.start is not None and segment.end is not None:
        written["time_range"] = f"{_clock(segment.start)}_{_clock(segment.end)}"
    if segment.description is not None:
        written["description"] = segment.description
    return written


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}{whole // 60 % 60:02}{whole % 60:02}"


def _recognises(row: Mapping[str, object]) -> bool:
    return "full_video_path" in row or "clip_video_paths" in row


FORMAT = ManifestFormat(
    name="guard_clips",
    fields=frozenset({"full_video_path", "clip_video_paths", "clip_video_labels", _WHOLE, _CLIPS}),
    nested=frozenset({"clip_video_paths", "clip_video_labels", _WHOLE, _CLIPS}),
    needs=frozenset({"video", "guard", "clips"}),
    holds=frozenset({"video", "answer", "label", "guard", "clips", "untimed labels"}),
    recognises=_recognises,
    read=_read,
    write=_write,
    question=QUESTION,
)
