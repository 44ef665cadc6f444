"""`{"input_video", "prompt", "output_video"}` (Cosmos): what is generated from a video, or from one image."""

from pathlib import PurePosixPath

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Sample

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def _read(row: Row) -> Sample | None:
    shown = row.media(row.get("input_video"), "input_video")
    is_image = PurePosixPath(shown).suffix.lower() in _IMAGE_SUFFIXES
    return row.sample(
        video=None if is_image else shown,
        images=(shown,) if is_image else (),
        question=row.text(row.get("prompt"), "prompt"),
        answer=None,
        output_video=row.media(row.get("output_video"), "output_video"),
    )


def _write(sample: Sample) -> dict[str, object]:
    shown = sample.video if sample.video is not None else sample.images[0]
    return {"input_video": shown, "prompt": sample.question, "output_video": sample.output_video}


FORMAT = ManifestFormat(
    name="world",
    fields=frozenset({"input_video", "prompt", "output_video"}),
    needs=frozenset({"question", "output_video"}),
    holds=frozenset({"video", "images", "question", "output_video"}),
    recognises=lambda row: "input_video" in row,
    read=_read,
    write=_write,
)
