"""The sheet Guard: per category how well unsafe content was told, how soon an alarm came, and each video in time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.guard import DelayFigures, GuardEvaluation, LevelFigures, evaluate_guard
from videoguard.inference.guard.trace import GuardTrace
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.formats.guard_categories import CATEGORIES
from videoguard.report.cells import LINE_HEIGHT, NOTHING, Pen, Tally
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.guard_timeline import clock
from videoguard.report.page import set_up_print, write_heading, write_notice
from videoguard.report.styles import Style

_LEVELS = {
    "frame": "Frames: what the model says of each",
    "clip": "Clips: what it says of any frame",
    "video": "Videos: what it says of any frame",
    "verdict": "Verdicts: what the answer at the end says",
}
LEVEL_HEADINGS = ("Category", "Wanted", "Named", "Right", "Precision", "Recall", "F1", "Accuracy")
DELAY_HEADINGS = ("Category", "Unsafe spans", "With alarm", "Mean, s", "Median, s", "Longest, s", "False alarms")
VIDEO_HEADINGS = ("Video", "Wanted", "Said", "Verdict", "Alarms", "Frames", "Wrong frames", "Timeline, a mark each frame")
_WIDTHS = (36, 16, 16, 16, 26, 12, 14, 48)
_MARKS = {(False, False): "·", (True, True): "■", (True, False): "○", (False, True): "×"}
DELAY_WORDS = "Time from the start of something unsafe to the alarm."
LEGEND = "Timeline: · safe, ■ unsafe and told exactly, ○ unsafe and missed, × said wrongly, ? nobody says what it is."


@dataclass(frozen=True)
class VideoLine:
    """A video as the guard judged it."""

    texts: tuple[str, str, str, str, str]
    """Name, wanted categories, those that are said of its frames, the verdict, and the alarms."""
    frames: int
    wrong: int
    """Frames with other categories than the wanted ones."""
    marks: str
    """One for each frame, with a space between clips."""


def has_streams(content: ReportContent) -> bool:
    """Whether videos were judged as streams."""
    return any(row.guard is not None for model in content.models for row in model.rows)


def write_guard_sheet(sheet: Worksheet, content: ReportContent, tally: Tally) -> None:
    """Write the sheet: each model's figures, then the videos as the main model judged them."""
    pen = Pen(sheet, tally, _WIDTHS)
    row = write_notice(pen, 1, len(VIDEO_HEADINGS), content.partial)
    write_heading(pen, row, "How well unsafe content was told, frame by frame as it came")
    row += 2
    for model in content.models:
        found = evaluate_guard(model.rows)
        if found is not None:
            row = _write_model(pen, row, model, found) + 1
    row = _write_videos(pen, row, content)
    set_up_print(sheet, row, content.partial)


def video_lines(rows: Iterable[AnswerRow]) -> list[VideoLine]:
    """A line for each video that was judged as a stream, those with most wrong frames first."""
    lines = [_video_line(row, row.guard) for row in rows if row.guard is not None]
    return sorted(lines, key=lambda line: (-line.wrong, line.texts))


def level_words(level: LevelFigures) -> str:
    """What a level is, and its figures over all categories."""
    unscored = f", {level.unscored:,} unscored" if level.unscored else ""
    exact = "" if level.exact is None else f"; exactly right {level.exact:.1%}"
    macro = "" if level.macro_f1 is None else f", macro F1 {level.macro_f1:.3f}"
    return f"{_LEVELS[level.level]}. n = {level.n:,}{unscored}{exact}{macro}."


def _write_model(pen: Pen, row: int, model: ModelResult, found: GuardEvaluation) -> int:
    pen.text(row, 1, model.heading, Style.HEADING)
    failed = f", {found.failed:,} without decisions" if found.failed else ""
    pen.text(row + 1, 1, f"{found.videos:,} videos judged{failed}.", Style.SUBTITLE)
    row += 3
    for level in found.levels:
        row = _write_level(pen, row, level) + 2
    return _write_delays(pen, row, found.delays) + 2


def _write_level(pen: Pen, row: int, level: LevelFigures) -> int:
    """Write the table of one level, with the categories that occur; return its last row."""
    pen.text(row, 1, level_words(level), Style.SUBTITLE)
    shown = [figures for figures in level.categories if figures.wanted or figures.named]
    if not shown:
        return row
    row += 1
    _write_header(pen, row, LEVEL_HEADINGS)
    for figures in shown:
        row += 1
        pen.text(row, 1, CATEGORIES[figures.category])
        for column, count in enumerate((figures.wanted, figures.named, figures.right), start=2):
            pen.number(row, column, count, Style.COUNT)
        for column, share in enumerate((figures.precision, figures.recall, figures.f1), start=5):
            pen.number(row, column, share, Style.SCORE)
        pen.number(row, 8, figures.accuracy, Style.SHARE)
    pen.fit_heights(row - len(shown) + 1, row)
    return row


def _write_delays(pen: Pen, row: int, delays: Sequence[DelayFigures]) -> int:
    pen.text(row, 1, DELAY_WORDS, Style.SUBTITLE)
    row += 1
    _write_header(pen, row, DELAY_HEADINGS)
    for figures in delays:
        row += 1
        pen.text(row, 1, "all" if figures.category is None else CATEGORIES[figures.category])
        for column, count in enumerate((figures.spans, figures.raised), start=2):
            pen.number(row, column, count, Style.COUNT)
        for column, seconds in enumerate((figures.mean_s, figures.median_s, figures.longest_s), start=4):
            pen.number(row, column, seconds, Style.AMOUNT)
        pen.number(row, 7, figures.false_alarms, Style.COUNT)
    pen.fit_heights(row - len(delays) + 1, row)
    return row


def _write_videos(pen: Pen, row: int, content: ReportContent) -> int:
    """Write a line a video as the main model judged it; return the row of the headings."""
    judged = video_lines(content.main.rows)
    pen.text(row, 1, f"Each video, as {content.main.heading} judged it", Style.HEADING)
    pen.text(row + 1, 1, LEGEND, Style.SUBTITLE)
    head = row + 2
    _write_header(pen, head, VIDEO_HEADINGS)
    for place, line in enumerate(judged, start=head + 1):
        _write_video(pen, place, line)
    pen.fit_heights(head + 1, head + len(judged))
    pen.sheet.auto_filter.ref = f"A{head}:{get_column_letter(len(VIDEO_HEADINGS))}{head + len(judged)}"
    return head


def _write_video(pen: Pen, row: int, line: VideoLine) -> None:
    for column, text in enumerate(line.texts, start=1):
        pen.text(row, column, text)
    pen.number(row, 6, line.frames, Style.COUNT)
    pen.number(row, 7, line.wrong, Style.COUNT)
    pen.text(row, 8, line.marks, Style.CODE)


def _video_line(row: AnswerRow, trace: GuardTrace) -> VideoLine:
    said = sorted({code for frame in trace.frames for code in frame.labels})
    verdict = "cannot be read" if trace.verdict is None else _named(trace.verdict)
    alarms = ", ".join(f"{alarm.category} {clock(alarm.time)}" for alarm in trace.alarms) or "none"
    wanted = NOTHING if trace.wanted is None else _named(trace.wanted)
    known = [frame for frame in trace.frames if frame.wanted is not None]
    return VideoLine(
        texts=(row.video or row.id, wanted, _named(said), verdict, alarms),
        frames=len(trace.frames),
        wrong=sum(set(frame.wanted or ()) != set(frame.labels) for frame in known),
        marks=" ".join("".join(_mark(frame.wanted, frame.labels) for frame in clip.frames) for clip in trace.clips),
    )


def _mark(wanted: Sequence[str] | None, labels: Sequence[str]) -> str:
    """One character for a frame; what was said beside something else that is unsafe counts as said wrongly."""
    if wanted is None:
        return "?"
    if set(wanted) == set(labels):
        return _MARKS[bool(wanted), bool(labels)]
    return _MARKS[False, True] if labels else _MARKS[True, False]


def _named(labels: Sequence[str]) -> str:
    return "+".join(labels) or "safe"


def _write_header(pen: Pen, row: int, headings: Sequence[str]) -> None:
    for column, heading in enumerate(headings, start=1):
        pen.text(row, column, heading, Style.HEADER)
    pen.sheet.row_dimensions[row].height = 1.5 * LINE_HEIGHT
