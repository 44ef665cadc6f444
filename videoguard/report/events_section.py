"""The sections Timeline and Guard of the page: what happens when."""

from itertools import islice
from pathlib import Path

from videoguard.evaluation.guard import evaluate_guard
from videoguard.manifests.formats.guard_categories import CATEGORIES
from videoguard.report.content import ReportContent
from videoguard.report.guard_sheet import (
    DELAY_HEADINGS,
    DELAY_WORDS,
    LEGEND,
    LEVEL_HEADINGS,
    VIDEO_HEADINGS,
    level_words,
    video_lines,
)
from videoguard.report.section import (
    Cell,
    Section,
    Table,
    count_cell,
    decimal_cell,
    text_cell,
)
from videoguard.report.timeline import MOST_ENTRIES, entry_pairs, has_timelines


def timeline_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """Wanted and answered entries side by side; None where the answers are no timelines."""
    if not has_timelines(content):
        return None
    headings = ["Sample", "Time", "Wanted event", "Wanted sentiment", "Answered event", "Answered sentiment"]
    rows = []
    for pair in islice(entry_pairs(content), MOST_ENTRIES):
        known = pair.wanted or pair.answered
        sides = [[None, None] if entry is None else [entry.event, entry.sentiment] for entry in (pair.wanted, pair.answered)]
        same = {None: Cell("–"), True: Cell("yes", look="green"), False: Cell("no", look="red")}[pair.is_same_sentiment]
        time = None if known is None else known.time
        rows.append([*map(text_cell, (pair.sample, time, *sides[0], *sides[1])), same])
    return Section("timeline", title, tables=[Table([*headings, "Same sentiment?"], rows, is_long=True)])


def guard_section(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    """Figures of a guard by category, its delays, and its videos; None where the answers are no decisions."""
    tables: list[Table] = []
    for model in content.models:
        found = evaluate_guard(model.rows)
        if found is None:
            continue
        for level in found.levels:
            shown = [figures for figures in level.categories if figures.wanted or figures.named]
            rows = [
                [
                    text_cell(CATEGORIES[figures.category]),
                    *map(count_cell, (figures.wanted, figures.named, figures.right)),
                    *map(decimal_cell, (figures.precision, figures.recall, figures.f1, figures.accuracy)),
                ]
                for figures in shown
            ]
            tables.append(Table(LEVEL_HEADINGS, rows, title=model.heading, note=level_words(level)))
        delays = [
            [
                text_cell("all" if figures.category is None else CATEGORIES[figures.category]),
                *map(count_cell, (figures.spans, figures.raised)),
                *map(decimal_cell, (figures.mean_s, figures.median_s, figures.longest_s)),
                count_cell(figures.false_alarms),
            ]
            for figures in found.delays
        ]
        tables.append(Table(DELAY_HEADINGS, delays, title=model.heading, note=DELAY_WORDS))
    videos = [
        [*map(text_cell, line.texts), count_cell(line.frames), count_cell(line.wrong), text_cell(line.marks)]
        for line in video_lines(content.main.rows)
    ]
    if not tables:
        return None
    return Section("guard", title, tables=[*tables, Table(VIDEO_HEADINGS, videos, note=LEGEND, is_long=True)])
