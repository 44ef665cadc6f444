"""What the page says: the sheets of the workbook as sections of plain tables."""

from collections.abc import Iterator
from pathlib import Path

from videoguard.report.classes_section import confidence_section, confusion_section, exercises_section
from videoguard.report.comparison_section import comparison_section
from videoguard.report.content import ReportContent
from videoguard.report.events_section import guard_section, timeline_section
from videoguard.report.nights_section import drift_section, nights_section
from videoguard.report.results_section import results_section, samples_section
from videoguard.report.run_section import errors_section, quality_section, run_section
from videoguard.report.section import Section
from videoguard.report.summary_section import summary_section


def sections_of(content: ReportContent, opened_from: Path) -> Iterator[Section]:
    """The sections in the order of the sheets; one that has nothing to say is left out."""
    makers = {
        "summary": summary_section,
        "results": results_section,
        "comparison": comparison_section,
        "per_exercise": exercises_section,
        "confusion": confusion_section,
        "confidence": confidence_section,
        "samples": samples_section,
        "timeline": timeline_section,
        "guard": guard_section,
        "quality": quality_section,
        "nights": nights_section,
        "drift": drift_section,
        "errors": errors_section,
        "run": run_section,
    }
    for name in content.sheets:
        section = makers[name](content, content.title_of(name), opened_from) if name in makers else None
        if section is not None:
            yield section
