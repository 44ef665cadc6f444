"""Write the workbook: sheets in their order, the same bytes for the same content, whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from videoguard.config import SheetName
from videoguard.errors import UserError
from videoguard.report import (
    comparison_sheet,
    confidence_sheet,
    confusion_sheet,
    errors_sheet,
    exercises_sheet,
    guard_sheet,
    nights_sheet,
    quality_sheet,
    results_sheet,
    run_sheet,
    samples_sheet,
    summary_sheet,
    timeline_sheet,
)
from videoguard.report.cells import Tally, clean_text
from videoguard.report.content import ReportContent
from videoguard.report.files import replace_file
from videoguard.report.nights import drift_lines
from videoguard.report.styles import add_styles
from videoguard.report.timeline import has_timelines

MOST_SAMPLES = 1_000_000
"""Most samples of a workbook; a sheet ends at row 1,048,576."""

# The earliest time that a zip file can hold, so that the bytes do not depend on when they are written.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16

_Writer = Callable[[Worksheet, ReportContent, Tally], None]


@dataclass(frozen=True, slots=True)
class WorkbookCounts:
    """What went into a workbook, and what had to be done to its texts."""

    rows: int
    """Samples of all models, each once."""
    sheets: int
    escaped_cells: int
    """Cells whose text looks like a formula and is kept as text."""
    removed_characters: int
    """Characters removed because the file format cannot carry them."""
    cut_cells: int
    """Cells cut at the longest text that a cell can hold."""


def write_workbook(content: ReportContent, path: Path, opened_from: Path | None = None) -> WorkbookCounts:
    """Write `content` to `path` as xlsx, replacing what is there in one step, and return the counts.

    Args:
        content: All that the workbook says.
        path: Where it goes; missing folders are made.
        opened_from: Folder in which the workbook will be opened, when it is moved there afterwards; relative links to
            videos are told from it. The folder of `path` when None.

    Raises:
        UserError: `path` cannot be written, or there are more than `MOST_SAMPLES` samples.
    """
    samples = len({row.id for model in content.models for row in model.rows})
    if samples > MOST_SAMPLES:
        raise UserError(f"{path}: {samples:,} samples: a workbook holds at most {MOST_SAMPLES:,}; report a part of them")
    book = Workbook()
    add_styles(book)
    tally = Tally()
    rows = _fill(book, content, tally, opened_from or path.parent)
    counts = WorkbookCounts(rows, len(book.sheetnames), tally.escaped, tally.removed, tally.cut)
    save_book(book, path)
    return counts


def _fill(book: Workbook, content: ReportContent, tally: Tally, opened_from: Path) -> int:
    """Write every sheet that has something to say, and return how many samples Results would hold."""
    made = content.created.astimezone(UTC).replace(tzinfo=None)
    book.properties.title = clean_text(content.title).text
    book.properties.subject = "Evaluation of video-language models"
    book.properties.creator = "Video-Guard"
    book.properties.created = made
    book.properties.modified = made
    book.remove(book.worksheets[0])
    writers = _writers(content, opened_from)
    sheets = {name: book.create_sheet(content.title_of(name)) for name in content.sheets if name in writers}
    # Run tells what writing the others did to their texts.
    for name in sorted(sheets, key=lambda name: name == "run"):
        writers[name](sheets[name], content, tally)
    return len({row.id for model in content.models for row in model.rows})


def _writers(
    content: ReportContent, opened_from: Path
) -> dict[SheetName, Callable[[Worksheet, ReportContent, Tally], None]]:
    """What writes each sheet, of those that have something to say."""
    writers: dict[SheetName, _Writer] = {
        "summary": summary_sheet.write_summary,
        "results": partial(results_sheet.write_results, opened_from=opened_from),
        "per_exercise": exercises_sheet.write_exercises,
        "errors": errors_sheet.write_errors,
        "run": run_sheet.write_run,
    }
    if content.comparison is not None:
        writers["comparison"] = comparison_sheet.write_comparison
    if confusion_sheet.has_classes(content):
        writers["confusion"] = confusion_sheet.write_confusion
    if confidence_sheet.reliabilities(content):
        writers["confidence"] = confidence_sheet.write_confidence
    if samples_sheet.has_samples(content):
        writers["samples"] = partial(samples_sheet.write_samples, opened_from=opened_from)
    if has_timelines(content):
        writers["timeline"] = timeline_sheet.write_timeline
    if guard_sheet.has_streams(content):
        writers["guard"] = guard_sheet.write_guard_sheet
    if content.quality is not None:
        writers["quality"] = quality_sheet.write_quality
    if content.nights:
        writers["nights"] = nights_sheet.write_nights
    if content.nights and drift_lines(content.nights[-1]):
        writers["drift"] = nights_sheet.write_drift
    return writers


def save_book(book: Workbook, path: Path) -> None:
    """Write a workbook to `path`, replacing what is there in one step; equal content gives equal bytes.

    Raises:
        UserError: `path` cannot be written.
    """
    replace_file(path, _to_bytes(book))


def _to_bytes(book: Workbook) -> bytes:
    """The xlsx file. openpyxl's own `save` puts the present time into it and into every member of the archive."""
    plain = BytesIO()
    ExcelWriter(book, ZipFile(plain, "w", ZIP_STORED)).save()
    packed = BytesIO()
    with ZipFile(plain) as source, ZipFile(packed, "w") as target:
        for name in source.namelist():
            member = ZipInfo(name, _NO_TIME)
            member.compress_type = ZIP_DEFLATED
            member.external_attr = _READABLE_FILE
            target.writestr(member, source.read(name))
    return packed.getvalue()
