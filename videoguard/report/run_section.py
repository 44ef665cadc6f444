"""The sections Quality, Errors and Run of the page: how the figures came about."""

from pathlib import Path

from videoguard.quality.tables import NO_CLASS, decision
from videoguard.report.content import ReportContent
from videoguard.report.errors_sheet import count_mishaps, in_short, mishaps_of
from videoguard.report.judging import judge_facts
from videoguard.report.links import web_link
from videoguard.report.section import (
    Cell,
    Section,
    Table,
    count_cell,
    text_cell,
)


def quality_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """The videos as the rules of quality judged them; None without such rules."""
    if content.quality is None:
        return None
    headings = ["Video", "Class", "Decision", "Reason", "Samples", "Width", "Height", "Brightness", "Sharpness"]
    listed = sorted(content.quality, key=lambda video: (video.kept, video.video))
    rows = (
        [
            *map(text_cell, (video.video, video.label or NO_CLASS, decision(video), "; ".join(video.reasons.values()))),
            *map(count_cell, (video.samples, video.width, video.height)),
            *(Cell("–" if value is None else f"{value:.3f}", value) for value in (video.brightness, video.sharpness)),
        ]
        for video in listed
    )
    left_out = sum(not video.kept for video in content.quality)
    note = f"{len(content.quality):,} videos judged by their stored frames, {left_out:,} left out."
    return Section("quality", title, [note], [Table(headings, rows, is_long=True)])


def errors_section(content: ReportContent, title: str, opened_from: Path) -> Section:
    """What went wrong, by reason and one by one."""
    tables = []
    counts = [
        [*map(text_cell, (each.what, each.model, each.metrics)), count_cell(each.times), text_cell(each.reason)]
        for each in count_mishaps(content)
    ]
    if counts:
        tables.append(Table(["What happened", "Model", "Metrics", "How many", "Reason"], counts, "By reason"))
    mishaps = [list(map(text_cell, mishap)) for mishap in mishaps_of(content)]
    if mishaps:
        tables.append(Table(["What happened", "Model", "Video", "Sample", "Reason"], mishaps, "One by one", is_long=True))
    return Section("errors", title, [in_short(content)], tables)


def run_section(content: ReportContent, title: str, opened_from: Path) -> Section:
    """How the run was made."""
    tables = [
        Table(["", ""], [[text_cell(fact), Cell(value, link=web_link(value))] for fact, value in facts.items()], name)
        for name, facts in (judge_facts(content) | content.facts.sections).items()
    ]
    return Section("run", title, tables=tables)
