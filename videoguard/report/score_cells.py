"""Cells that several sections share."""

from pathlib import Path

from videoguard.config import Band
from videoguard.evaluation.scores import MetricFacts
from videoguard.manifests.sample import file_to_open
from videoguard.report.content import ReportContent
from videoguard.report.figures import SampleLine
from videoguard.report.links import video_link
from videoguard.report.section import (
    Cell,
    text_cell,
)
from videoguard.report.wording import (
    colour_of,
    figure_words,
    finite,
    is_yes_no,
)


def score_cell(metric: MetricFacts, value: float | None, band: Band | None) -> Cell:
    """A figure of a metric, coloured by its band."""
    known = finite(value)
    return Cell(figure_words(metric, known), known, colour_of(known, band) or "")


def sample_score_cell(content: ReportContent, metric: MetricFacts, score: float | None) -> Cell:
    """The score of one sample; yes or no where the metric is right or wrong."""
    if is_yes_no(metric) and score in (0.0, 1.0):
        return Cell("yes" if score else "no", score, "green" if score else "red")
    return score_cell(metric, score, content.bands.get(metric.name))


def answer_cell(line: SampleLine, place: int) -> Cell:
    """What the model at `place` answered."""
    answered = line.rows[place]
    if answered is not None and answered.answer == "":
        return Cell("(empty answer)")
    return text_cell(None if answered is None else answered.answer)


def video_cell(line: SampleLine, content: ReportContent, opened_from: Path) -> Cell:
    """The video of a sample, with a link where its file is there."""
    video = line.known.video
    link = None if video is None else video_link(file_to_open(video), content.media_root, opened_from)
    return Cell("–" if video is None else video, link=link)
