"""The sheet Samples: the lowest and the highest scores, with frames of their videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from openpyxl.drawing.image import Image
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, OneCellAnchor
from openpyxl.drawing.xdr import XDRPositiveSize2D
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.scores import MetricFacts
from videoguard.manifests.sample import file_to_open
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ReportContent
from videoguard.report.figures import SampleLine, score_of
from videoguard.report.links import video_link
from videoguard.report.page import (
    colour_metric,
    explain_metric,
    set_up_print,
    write_answer,
    write_heading,
    write_notice,
    write_score,
)
from videoguard.report.samples import ShownSamples, shown_samples
from videoguard.report.styles import Style
from videoguard.report.thumbnails import Strip, film_strip
from videoguard.report.wording import metrics_of, sample_words

_MOST_METRICS = 6
_FRAMES = 3
_MARGIN = 4
_EMU_PER_PIXEL = 9525
_POINTS_PER_PIXEL = 0.75
# Widths are counted in digits of Calibri 11, which are 7 pixels wide, with 5 pixels around them.
_PIXELS_PER_WIDTH, _PIXELS_AROUND = 7, 5


@dataclass(frozen=True, slots=True)
class _Table:
    """What both parts of the sheet share."""

    content: ReportContent
    shown: ShownSamples
    strips: dict[str, Strip]
    metrics: list[MetricFacts]
    opened_from: Path

    @property
    def headings(self) -> list[str]:
        last, earlier = self.content.models[-1], self.content.models[:-1]
        return [
            *("Sample", "Video"),
            *(["Frames"] if self.strips else []),
            "Wanted answer",
            f"Answer of {last.heading}",
            *(f"Answer of {model.heading}" for model in earlier),
            *map(sample_words, self.metrics),
        ]

    @property
    def widths(self) -> list[float]:
        pixels = max((strip.width for strip in self.strips.values()), default=0) + 2 * _MARGIN
        frames = [(pixels - _PIXELS_AROUND) / _PIXELS_PER_WIDTH] if self.strips else []
        return [34, 36, *frames, *[32] * (1 + len(self.content.models)), *[12] * len(self.metrics)]


def has_samples(content: ReportContent) -> bool:
    """Whether there is a sample to show."""
    return shown_samples(content.models, content.samples) is not None


def write_samples(sheet: Worksheet, content: ReportContent, tally: Tally, opened_from: Path) -> None:
    """Write the sheet; video links are told from the folder `opened_from`."""
    shown = shown_samples(content.models, content.samples)
    assert shown is not None
    table = _Table(content, shown, _strips(content, shown), _metrics(content, shown), opened_from)
    pen = Pen(sheet, tally, table.widths)
    sheet.sheet_view.showGridLines = False
    set_up_print(sheet, None, content.partial)
    row = write_notice(pen, 1, len(table.headings), content.partial)
    row = _write_part(pen, table, row, f"Worst {shown.metric.title}", shown.worst)
    _write_part(pen, table, row, f"Best {shown.metric.title}", shown.best)


def _strips(content: ReportContent, shown: ShownSamples) -> dict[str, Strip]:
    videos = {line.known.video for line in (*shown.worst, *shown.best)}
    found = {video: content.frames.get(video, []) for video in videos if video is not None}
    return {video: film_strip(frames, content.samples.frames) for video, frames in found.items() if frames}


def _metrics(content: ReportContent, shown: ShownSamples) -> list[MetricFacts]:
    """The ranking metric first, then the others that scored something, as many as fit on a page."""
    summary = content.main.evaluation.summary
    scored = [metric for metric in metrics_of([content.main]) if summary[metric.name].n and metric.name != shown.metric.name]
    return [shown.metric, *scored][:_MOST_METRICS]


def _write_part(pen: Pen, table: _Table, row: int, heading: str, lines: Sequence[SampleLine]) -> int:
    """Write one half of the sheet; return the row after a gap."""
    if not lines:
        return row
    write_heading(pen, row, heading)
    pen.text(row + 1, 1, _note(table, len(lines)), Style.NOTE)
    header_row = row + 2
    for column, words in enumerate(table.headings, start=1):
        cell = pen.text(header_row, column, words, Style.HEADER)
        metric = column - 1 - (len(table.headings) - len(table.metrics))
        if metric >= 0:
            name = table.metrics[metric]
            explain_metric(cell, name, table.content.bands.get(name.name))
    pen.sheet.row_dimensions[header_row].height = 2.5 * LINE_HEIGHT
    for line_row, line in enumerate(lines, start=header_row + 1):
        _write_line(pen, table, line_row, line)
    _colour(pen.sheet, table, header_row + 1, header_row + len(lines))
    return header_row + len(lines) + 2


def _note(table: _Table, count: int) -> str:
    scored = table.content.main.evaluation.summary[table.shown.metric.name].n
    noun = "sample" if scored == 1 else "samples"
    return f"{count:,} of {scored:,} {noun} that have this score; equal scores are ordered by the mean of all scores."


def _write_line(pen: Pen, table: _Table, row: int, line: SampleLine) -> None:
    video = line.known.video
    strip = None if video is None else table.strips.get(video)
    pen.text(row, 1, line.known.id if strip is None else f"{line.known.id}\n\n{_times(strip)}".rstrip())
    link = None if video is None else video_link(file_to_open(video), table.content.media_root, table.opened_from)
    pen.link(row, 2, video or "", link)
    if table.strips:
        pen.text(row, _FRAMES, "" if strip else None)
    wanted = _FRAMES + bool(table.strips)
    pen.text(row, wanted, line.known.reference)
    for column, answered in enumerate((line.rows[-1], *line.rows[:-1]), start=wanted + 1):
        write_answer(pen, row, column, answered)
    for column, metric in enumerate(table.metrics, start=wanted + 1 + len(line.rows)):
        write_score(pen, row, column, metric, score_of(line.scores, metric.name))
    pen.fit_heights(row, row)
    if strip is not None:
        _place_strip(pen.sheet, strip, row, _FRAMES)


def _times(strip: Strip) -> str:
    known = [time for time in strip.times if time is not None]
    return f"Frames at {', '.join(f'{time:.1f}' for time in known)} s" if known else ""


def _place_strip(sheet: Worksheet, strip: Strip, row: int, column: int) -> None:
    """Lay the picture into the cell, and make the row as tall as it."""
    image = Image(BytesIO(strip.jpeg))
    offset = _MARGIN * _EMU_PER_PIXEL
    image.anchor = OneCellAnchor(
        _from=AnchorMarker(col=column - 1, colOff=offset, row=row - 1, rowOff=offset),
        ext=XDRPositiveSize2D(strip.width * _EMU_PER_PIXEL, strip.height * _EMU_PER_PIXEL),
    )
    sheet.add_image(image)
    height = sheet.row_dimensions[row].height or 0.0
    sheet.row_dimensions[row].height = max(height, (strip.height + 2 * _MARGIN) * _POINTS_PER_PIXEL)


def _colour(sheet: Worksheet, table: _Table, first_row: int, last_row: int) -> None:
    for column, metric in enumerate(table.metrics, start=len(table.headings) - len(table.metrics) + 1):
        letter = get_column_letter(column)
        colour_metric(sheet, f"{letter}{first_row}:{letter}{last_row}", metric, table.content.bands.get(metric.name))
