"""The sheet Results: one line a sample, to sort, filter and read."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.evaluation.scores import MetricFacts
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.sample import file_to_open
from videoguard.report.cells import LINE_HEIGHT, Pen, Tally
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.figures import SampleLine, score_of, scored_metrics, side_by_side, why_unscored
from videoguard.report.links import video_link
from videoguard.report.page import (
    colour_metric,
    explain,
    explain_metric,
    set_up_print,
    write_answer,
    write_notice,
    write_score,
)
from videoguard.report.styles import Style
from videoguard.report.wording import EXERCISE, is_yes_no, metrics_of, sample_words

_TEXT_WIDTH = 35.0
_CONFIDENCE = "Geometric mean of the probabilities of the answer's tokens. It tells how sure the model was, not how right."
_PROBABILITY = "Probability of the likeliest class among the known classes."


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table: heading, width in characters, and what writes a sample's cell at (row, column)."""

    heading: str
    width: float
    write: Callable[[Pen, int, int, SampleLine], object]
    metric: MetricFacts | None = None
    note: str | None = None
    """Comment on the heading."""


def write_results(sheet: Worksheet, content: ReportContent, tally: Tally, opened_from: Path) -> None:
    """Write the sheet; video links are told from the folder `opened_from`."""
    lines = side_by_side(content.models)
    columns = _columns(content, lines, opened_from)
    pen = Pen(sheet, tally, [column.width for column in columns])
    header_row = write_notice(pen, 1, len(columns), content.partial)
    set_up_print(sheet, header_row, content.partial)
    for position, column in enumerate(columns, start=1):
        heading = pen.text(header_row, position, column.heading, Style.HEADER)
        if column.metric is not None:
            explain_metric(heading, column.metric, content.bands.get(column.metric.name))
        elif column.note is not None:
            explain(heading, column.note)
    sheet.row_dimensions[header_row].height = 3.5 * LINE_HEIGHT
    for row, line in enumerate(lines, start=header_row + 1):
        for position, column in enumerate(columns, start=1):
            column.write(pen, row, position, line)
    pen.fit_heights(header_row + 1, header_row + len(lines))
    if not lines:
        pen.text(header_row + 1, 1, "No sample was evaluated.", Style.SUBTITLE)
    last_row = header_row + max(len(lines), 1)
    sheet.freeze_panes = f"B{header_row + 1}"
    sheet.auto_filter.ref = f"A{header_row}:{get_column_letter(len(columns))}{last_row}"
    _colour(sheet, content, columns, header_row + 1, last_row)


def _columns(content: ReportContent, lines: list[SampleLine], opened_from: Path) -> list[_Column]:
    """The columns from left to right. A metric that scored no sample at all has none: Summary and Errors tell of it.

    Nor has a question that is the same for all: Summary tells it.
    """
    metrics = scored_metrics(content.models) or metrics_of(content.models)
    main = len(content.models) - 1
    questions = {line.known.question for line in lines}
    shown = [line.known.video for line in lines if line.known.video is not None]

    def write_video(pen: Pen, row: int, column: int, line: SampleLine) -> None:
        video = line.known.video
        link = None if video is None else video_link(file_to_open(video), content.media_root, opened_from)
        pen.link(row, column, video or "", link)

    return [
        _text_column("Sample", _fitting((line.known.id for line in lines), 10, 40), lambda line: line.known.id),
        *([_Column("Video", _fitting(shown, 16, 40), write_video)] if shown else []),
        _text_column(
            "Exercise", _fitting((line.known.label or "" for line in lines), 10, 20), lambda line: line.known.label
        ),
        *([] if len(questions) == 1 else [_text_column("Question", 20, lambda line: line.known.question)]),
        _text_column("Wanted answer", _TEXT_WIDTH, lambda line: line.known.reference),
        *(_answer_column(content.models[model], model) for model in (main, *range(main))),
        *(column for metric in sorted(metrics, key=_is_exercise) for column in _metric_columns(metric, lines)),
        *_extra_columns(lines),
        _Column("New tokens", 9, _write_new_tokens),
        _Column("Status", 9, _write_status),
        _text_column("What is missing, and why", 28, lambda line: _why_missing(line, metrics)),
    ]


def _fitting(texts: Iterable[str], least: float, most: float) -> float:
    """The width that shows the longest text on one line, within bounds."""
    return min(max(least, 1.15 * max(map(len, texts), default=0)), most)


def _text_column(heading: str, width: float, read: Callable[[SampleLine], str | None]) -> _Column:
    return _Column(heading, width, lambda pen, row, column, line: pen.text(row, column, read(line)))


def _identified_column() -> _Column:
    heading = "Exercise in the answer"
    return _text_column(heading, 15, lambda line: None if line.scores is None else line.scores.identified)


def _answer_column(model: ModelResult, position: int) -> _Column:
    heading = f"Answer of {model.heading}"
    return _Column(heading, _TEXT_WIDTH, lambda pen, row, column, line: write_answer(pen, row, column, line.rows[position]))


def _is_exercise(metric: MetricFacts) -> bool:
    return metric.name == EXERCISE


def _metric_columns(metric: MetricFacts, lines: Sequence[SampleLine]) -> list[_Column]:
    """The metric's score; before it the exercise that it judged, after it what it says about its scores."""
    columns = [*([_identified_column()] if _is_exercise(metric) else []), _score_column(metric)]
    if any(line.scores is not None and metric.name in line.scores.notes for line in lines):
        columns.append(_text_column(f"{metric.title}: why", 30, lambda line: _note(line, metric.name)))
    return columns


def _note(line: SampleLine, metric: str) -> str:
    return "" if line.scores is None else line.scores.notes.get(metric, "")


def _score_column(metric: MetricFacts) -> _Column:
    def write(pen: Pen, row: int, column: int, line: SampleLine) -> None:
        write_score(pen, row, column, metric, score_of(line.scores, metric.name))

    return _Column(sample_words(metric), 12 if is_yes_no(metric) else 10.5, write, metric)


def _extra_columns(lines: Sequence[SampleLine]) -> list[_Column]:
    """What the last model told beside its answers, as far as it did."""
    rows = [line.rows[-1] for line in lines if line.rows[-1] is not None]
    columns = []
    if any(row.generated is not None for row in rows):
        columns.append(_main_text("As generated, before the repair", _TEXT_WIDTH, lambda row: row.generated or ""))
    if any(row.mean_token_logprob is not None for row in rows):
        columns.append(_main_share("Confidence", 11, _confidence, _CONFIDENCE))
    if any(row.predicted_label is not None for row in rows):
        columns.append(_main_text("Likeliest class", 15, lambda row: row.predicted_label))
        columns.append(_main_share("Its probability", 11, lambda row: row.label_probability, _PROBABILITY))
    return columns


def _main_text(heading: str, width: float, read: Callable[[AnswerRow], str | None]) -> _Column:
    return _text_column(heading, width, lambda line: None if line.rows[-1] is None else read(line.rows[-1]))


def _main_share(heading: str, width: float, read: Callable[[AnswerRow], float | None], note: str) -> _Column:
    def write(pen: Pen, row: int, column: int, line: SampleLine) -> None:
        main = line.rows[-1]
        pen.number(row, column, None if main is None else read(main), Style.SHARE)

    return _Column(heading, width, write, note=note)


def _confidence(row: AnswerRow) -> float | None:
    return None if row.mean_token_logprob is None else math.exp(min(row.mean_token_logprob, 0.0))


def _write_new_tokens(pen: Pen, row: int, column: int, line: SampleLine) -> None:
    main = line.rows[-1]
    pen.number(row, column, None if main is None else main.new_tokens, Style.COUNT)


def _write_status(pen: Pen, row: int, column: int, line: SampleLine) -> None:
    main = line.rows[-1]
    pen.text(row, column, "missing" if main is None else main.status, Style.CENTRED)


def _why_missing(line: SampleLine, metrics: Sequence[MetricFacts]) -> str:
    """Why the last model's answer, or a score of it, is missing; nothing where all is there."""
    main = line.rows[-1]
    if main is None or main.status == "failed":
        return why_unscored(main, None, "")
    lacking: dict[str, list[str]] = {}
    for metric in metrics:
        if score_of(line.scores, metric.name) is None:
            lacking.setdefault(why_unscored(main, line.scores, metric.name), []).append(metric.title)
    notes = [main.error] if main.error else []
    notes += [f"{', '.join(words)}: {reason}" for reason, words in lacking.items()]
    return "\n".join(notes)


def _colour(sheet: Worksheet, content: ReportContent, columns: list[_Column], first_row: int, last_row: int) -> None:
    for position, column in enumerate(columns, start=1):
        if column.metric is not None:
            letter = get_column_letter(position)
            cells = f"{letter}{first_row}:{letter}{last_row}"
            colour_metric(sheet, cells, column.metric, content.bands.get(column.metric.name))
