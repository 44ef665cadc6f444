"""The workbook of generated clips: pictures and measures side by side, what failed, and how the clips came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from openpyxl.drawing.image import Image as SheetImage
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.links import video_link
from videoguard.report.page import set_up_print, write_heading
from videoguard.report.styles import Style, add_styles
from videoguard.report.workbook import save_book
from videoguard.world.evaluation.measures import ClipMeasures, read_pictures
from videoguard.world.generation.request import CLIP, RECORD, ClipFacts
from videoguard.world.media import read_clip

if TYPE_CHECKING:
    from PIL.Image import Image

NOISE = "the pipeline is a tiny one of random weights: the clips are noise and say nothing of quality"
_SHOWN = 4
_HEIGHT = 84
"""Of a picture, pixels."""
_POINTS_PER_PIXEL = 0.75
_MEASURES = {
    "condition_psnr": "Condition kept: PSNR (dB)",
    "condition_ssim": "Condition kept: SSIM",
    "temporal_ssim": "Frame to frame: SSIM",
    "temporal_change": "Frame to frame: change (of 255)",
    "base_difference": "Difference to base (of 255)",
    "base_psnr": "Difference to base: PSNR (dB)",
}


@dataclass(frozen=True)
class ShownClip:
    """One line of the sheet Clips."""

    output: Path
    folders: Mapping[str, Path]
    """Folder of the clip's artifact by variant: `base`, `adapted`."""
    measures: Mapping[str, ClipMeasures]
    """By variant."""


def write_clips_workbook(
    path: Path,
    *,
    title: str,
    is_noise: bool,
    clips: Sequence[ShownClip],
    failed: Mapping[str, str],
    facts: Mapping[str, Mapping[str, str]],
    opened_from: Path,
) -> None:
    """Write the workbook.

    Args:
        path: of the xlsx file.
        title: its heading.
        is_noise: whether a tiny pipeline of random weights generated.
        clips: those that were made.
        failed: reason of each that failed, by its output.
        facts: the sheet Run: sections of names and values.
        opened_from: folder in which it will be opened, for links to the clips.

    Raises:
        UserError: `path` cannot be written.
    """
    book, tally = Workbook(), Tally()
    add_styles(book)
    notice = NOISE if is_noise else None
    sheet = book.worksheets[0]
    sheet.title = "Clips"
    _write_clips(sheet, tally, title, notice, clips, opened_from)
    _write_errors(book.create_sheet("Errors"), tally, notice, failed)
    _write_run(book.create_sheet("Run"), tally, notice, facts)
    save_book(book, path)


def contact_strip(frames: npt.NDArray[np.uint8], count: int = _SHOWN) -> "Image":
    """As many frames of a clip, evenly from first to last, side by side."""
    from PIL import Image

    chosen = frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]
    scale = _HEIGHT / chosen.shape[1]
    width = max(1, round(chosen.shape[2] * scale))
    strip = Image.new("RGB", (count * width + 2 * (count - 1), _HEIGHT), "white")
    for number, frame in enumerate(chosen):
        strip.paste(Image.fromarray(frame).resize((width, _HEIGHT)), (number * (width + 2), 0))
    return strip


def _write_clips(
    sheet: Worksheet, tally: Tally, title: str, notice: str | None, clips: Sequence[ShownClip], opened_from: Path
) -> None:
    variants = list(dict.fromkeys(variant for clip in clips for variant in clip.folders))
    measures = [name for name in _MEASURES if any(_has(clips, variant, name) for variant in variants)]
    strip_width = max((_strip_width(clip) for clip in clips), default=300) / 7 + 2
    pictures = ["Given", *(_heading(variant) for variant in variants)]
    numbers = [(variant, name) for name in measures for variant in variants if _has(clips, variant, name)]
    measured = [f"{_MEASURES[name]}, {_heading(variant).lower()}" for variant, name in numbers]
    headings = ["Clip", "Prompt", *pictures, *measured, "Seed"]
    widths = [28.0, 42.0, strip_width / _SHOWN + 4, *[strip_width] * len(variants), *[15.0] * len(numbers), 9.0]
    pen = Pen(sheet, tally, widths)
    row = _write_notice(pen, len(headings), notice)
    pen.text(row, 1, title, Style.TITLE)
    sheet.row_dimensions[row].height = 2.2 * LINE_HEIGHT
    header = row + 1
    set_up_print(sheet, header, None)
    for column, heading in enumerate(headings, start=1):
        pen.text(header, column, heading, Style.HEADER)
    sheet.row_dimensions[header].height = 3.5 * LINE_HEIGHT
    for line, clip in enumerate(clips, start=header + 1):
        _write_clip(pen, line, clip, variants, numbers, opened_from)
        sheet.row_dimensions[line].height = (_HEIGHT + 8) * _POINTS_PER_PIXEL
    if not clips:
        pen.text(header + 1, 1, "No clip was made.", Style.SUBTITLE)
    sheet.freeze_panes = f"B{header + 1}"


def _write_clip(
    pen: Pen,
    row: int,
    clip: ShownClip,
    variants: Sequence[str],
    numbers: Sequence[tuple[str, str]],
    opened_from: Path,
) -> None:
    facts = [ClipFacts.model_validate_json((folder / RECORD).read_bytes()) for folder in clip.folders.values()]
    pen.link(row, 1, str(clip.output), video_link(str(clip.output), Path(), opened_from))
    pen.text(row, 2, facts[-1].refined_prompt or facts[-1].prompt)
    folder = next(iter(clip.folders.values()))
    _place(pen.sheet, row, 3, contact_strip(read_pictures(folder, facts[0].condition_frames)[-1:], 1))
    for column, variant in enumerate(variants, start=4):
        if variant in clip.folders:
            _place(pen.sheet, row, column, contact_strip(read_clip(clip.folders[variant] / CLIP)))
        else:
            pen.text(row, column, None)
    for column, (variant, name) in enumerate(numbers, start=4 + len(variants)):
        found = clip.measures.get(variant)
        pen.number(row, column, None if found is None else getattr(found, name), Style.SCORE)
    pen.number(row, 4 + len(variants) + len(numbers), facts[-1].seed, Style.COUNT)


def _write_errors(sheet: Worksheet, tally: Tally, notice: str | None, failed: Mapping[str, str]) -> None:
    pen = Pen(sheet, tally, (44, 100))
    row = _write_notice(pen, 2, notice)
    set_up_print(sheet, row, None)
    for column, heading in enumerate(("Clip", "Why it was not made"), start=1):
        pen.text(row, column, heading, Style.HEADER)
    for line, (clip, reason) in enumerate(failed.items(), start=row + 1):
        pen.text(line, 1, clip)
        pen.text(line, 2, reason)
    pen.fit_heights(row + 1, row + len(failed))
    if not failed:
        pen.text(row + 1, 1, "Every clip was made.", Style.SUBTITLE)


def _write_run(sheet: Worksheet, tally: Tally, notice: str | None, facts: Mapping[str, Mapping[str, str]]) -> None:
    pen = Pen(sheet, tally, (44, 100))
    set_up_print(sheet, None, None)
    sheet.sheet_view.showGridLines = False
    row = _write_notice(pen, 2, notice)
    for name, lines in facts.items():
        write_heading(pen, row, name)
        for line, (fact, value) in enumerate(lines.items(), start=row + 1):
            pen.text(line, 1, fact)
            pen.text(line, 2, value)
        pen.fit_heights(row + 1, row + len(lines))
        row += len(lines) + 2


def _write_notice(pen: Pen, columns: int, notice: str | None) -> int:
    """Say across the sheet that the clips are noise; return the next free row."""
    if notice is None:
        return 1
    for column in range(2, columns + 1):
        pen.sheet.cell(1, column).style = Style.NOTICE
    pen.text(1, 1, f"Noise: {notice}", Style.NOTICE)
    pen.sheet.row_dimensions[1].height = 1.6 * LINE_HEIGHT
    return 2


def _place(sheet: Worksheet, row: int, column: int, picture: "Image") -> None:
    held = BytesIO()
    picture.save(held, "PNG")
    held.seek(0)
    cell = sheet.cell(row, column)
    sheet.add_image(SheetImage(held), cell.coordinate)


def _strip_width(clip: ShownClip) -> int:
    folder = next(iter(clip.folders.values()))
    facts = ClipFacts.model_validate_json((folder / RECORD).read_bytes())
    return _SHOWN * round(facts.width * _HEIGHT / facts.height)


def _heading(variant: str) -> str:
    return {"base": "Base", "adapted": "With adapters"}.get(variant, variant)


def _has(clips: Sequence[ShownClip], variant: str, name: str) -> bool:
    return any(variant in clip.measures and getattr(clip.measures[variant], name) is not None for clip in clips)
