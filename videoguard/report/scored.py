"""The workbook of answers that were scored outside of a run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from videoguard.config import ReportSection
from videoguard.evaluation.comparing import ComparedModel
from videoguard.evaluation.comparison import Comparison
from videoguard.frames.decoding import DecodeError
from videoguard.frames.rule import FrameRule
from videoguard.frames.workers import read_video
from videoguard.report.content import ModelResult, ReportContent, RunFacts, StoredFrame
from videoguard.report.samples import pictured_videos
from videoguard.revision import code_revision, package_versions

_LONGEST_SIDE = 320
"""Of a frame that is shown, pixels."""


def scored_content(
    models: Sequence[ComparedModel],
    comparison: Comparison | None,
    *,
    report: ReportSection,
    created: datetime,
    settings: Mapping[str, str],
    sources: Mapping[str, str],
    command: str,
    problems: Sequence[str] = (),
    partial: str | None = None,
    media_root: Path | None = None,
) -> ReportContent:
    """All that the workbook says; the last model is the one that it is about.

    Args:
        models: the models with their scores.
        comparison: of the models by their names.
        report: title, colours and sheets of the workbook.
        created: when the scores were made.
        settings: of the scoring, by their dotted names.
        sources: where the answers of each model came from.
        command: what reproduces the scores.
        problems: rows that could not be read, one line each.
        partial: why the figures are not for comparison.
        media_root: folder that video paths are relative to.
    """
    content = ReportContent(
        title=report.title,
        created=created,
        models=[ModelResult(name=model.name, rows=list(model.rows), evaluation=model.evaluation) for model in models],
        comparison=comparison,
        bands=dict(report.bands),
        samples=report.samples,
        sheets=report.sheets,
        sheet_titles=report.sheet_titles,
        row_problems=list(problems),
        facts=RunFacts(
            sections={
                "Answers": dict(sources),
                "Run": {"How to reproduce": command, "Video-Guard": code_revision()},
                "Settings": dict(settings),
                "Packages": package_versions(),
            }
        ),
        partial=partial,
        media_root=None if media_root is None else media_root.absolute(),
    )
    if media_root is None:
        return content
    rule = FrameRule(count=report.samples.frames, max_side=_LONGEST_SIDE, codec="jpeg", jpeg_quality=85)
    return content.model_copy(update={"frames": _frames(pictured_videos(content), media_root, rule)})


def _frames(videos: Sequence[str], media_root: Path, rule: FrameRule) -> dict[str, list[StoredFrame]]:
    """Frames of the videos that are files here; one that is not, or cannot be decoded, is shown without."""
    found = {}
    for video in videos:
        path = media_root / video
        if not path.is_file():
            continue
        with suppress(DecodeError):
            read = read_video(path, rule)
            times = zip(read.frames, read.timestamps_s, strict=True)
            found[video] = [StoredFrame(image=image, time_s=time) for image, time in times]
    return found
