"""The workbook of answers that were scored outside of a run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from videoguard.config import Band
from videoguard.evaluation.comparing import ComparedModel
from videoguard.evaluation.comparison import Comparison
from videoguard.report.content import ModelResult, ReportContent, RunFacts
from videoguard.revision import code_revision, package_versions


def scored_content(
    models: Sequence[ComparedModel],
    comparison: Comparison | None,
    *,
    title: str,
    bands: Mapping[str, Band],
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
        title: heading of the workbook.
        bands: colour thresholds by metric.
        created: when the scores were made.
        settings: of the scoring, by their dotted names.
        sources: where the answers of each model came from.
        command: what reproduces the scores.
        problems: rows that could not be read, one line each.
        partial: why the figures are not for comparison.
        media_root: folder that video paths are relative to.
    """
    return ReportContent(
        title=title,
        created=created,
        models=[ModelResult(name=model.name, rows=list(model.rows), evaluation=model.evaluation) for model in models],
        comparison=comparison,
        bands=dict(bands),
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
