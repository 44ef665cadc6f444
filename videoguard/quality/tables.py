"""What was kept and left out and why: as CSV for people, as JSON Lines for the steps after."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from videoguard.quality.judging import JudgedVideo, count_by_class

VIDEOS = "videos.csv"
CLASSES = "classes.csv"
_LINES = "videos.jsonl"

# A spreadsheet runs text that begins so as a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NO_CLASS = "(no class)"


def write_quality(videos: Sequence[JudgedVideo], folder: Path) -> None:
    """Write `videos.csv`, `classes.csv` and `videos.jsonl` into an existing folder."""
    with (folder / _LINES).open("w", encoding="utf-8") as lines:
        lines.writelines(video.model_dump_json() + "\n" for video in videos)
    scores = [name for name in JudgedVideo.model_fields if name not in {"video", "reasons"}]
    _write_csv(
        folder / VIDEOS,
        ["video", "decision", "reasons", *scores],
        (
            [video.video, decision(video), "; ".join(video.reasons.values()), *(getattr(video, name) for name in scores)]
            for video in videos
        ),
    )
    rules = sorted({rule for video in videos for rule in video.reasons})
    kinds = {video.label: video.kind for video in videos}
    _write_csv(
        folder / CLASSES,
        ["class", "kind", "videos", "kept", "left_out", *rules],
        (
            [label or NO_CLASS, kinds[label], counts["videos"], counts["kept"], counts["videos"] - counts["kept"]]
            + [counts[rule] for rule in rules]
            for label, counts in count_by_class(videos).items()
        ),
    )


def read_quality(folder: Path) -> list[JudgedVideo]:
    """The videos that `write_quality` wrote, sorted by name."""
    with (folder / _LINES).open(encoding="utf-8") as lines:
        return [JudgedVideo.model_validate_json(line) for line in lines]


def decision(video: JudgedVideo) -> str:
    """`kept` or `left out`."""
    return "kept" if video.kept else "left out"


def _write_csv(path: Path, header: list[str], rows: Iterable[Sequence[object]]) -> None:
    # With a byte-order mark, as Excel needs it to read UTF-8.
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
