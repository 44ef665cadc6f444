"""The frames of the shown samples as picture files, for places that show pictures, such as MLflow's artifacts."""

import re
from pathlib import Path

from videoguard.report.content import ReportContent
from videoguard.report.samples import shown_samples
from videoguard.report.thumbnails import film_strip

_LONGEST_NAME = 80


def write_strips(content: ReportContent, folder: Path) -> list[Path]:
    """Write a JPEG of the frames of each of the worst and the best samples, named by its rank and its sample.

    Args:
        content: of the report.
        folder: existing folder.

    Returns:
        The files, the worst sample first; none where no sample is shown, or none has frames.
    """
    shown = shown_samples(content.models, content.samples)
    if shown is None:
        return []
    written = []
    for kind, lines in (("worst", shown.worst), ("best", shown.best)):
        for rank, line in enumerate(lines, start=1):
            frames = content.frames.get(line.known.video or "")
            if not frames:
                continue
            sample = re.sub(r"[^\w.-]+", "_", line.known.id)[:_LONGEST_NAME]
            written.append(folder / f"{kind}-{rank:02}-{sample}.jpg")
            written[-1].write_bytes(film_strip(frames, content.samples.frames).jpeg)
    return written
