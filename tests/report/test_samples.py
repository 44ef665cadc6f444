"""Which samples are shown, their film strips, and the sheet Samples read back."""

import io

import pytest
from PIL import Image

from tests.report.reading import lines_of, written
from videoguard.config import SamplesSection
from videoguard.report.content import ModelResult, StoredFrame
from videoguard.report.samples import pictured_videos, shown_samples
from videoguard.report.strips import write_strips
from videoguard.report.thumbnails import evenly, film_strip


def picture(colour, size=(64, 48), time=None):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return StoredFrame(image=file.getvalue(), time_s=time)


def ids(lines):
    return [line.known.id for line in lines]


def scored(make, scores, **facts):
    """A model with one sample for each score, named a, b, c …"""
    rows = [make.answer_row(chr(97 + place)) for place in range(len(scores))]
    entries = [make.scores_of(row.id, score, None) for row, score in zip(rows, scores, strict=True)]
    model = make.tuned_model()
    return ModelResult(name="tuned", rows=rows, evaluation=model.evaluation.model_copy(update={"rows": entries}))


def test_worst_and_best_are_shown_by_the_first_graded_metric(make):
    shown = shown_samples([scored(make, [0.5, 0.9, None, 0.1, 0.7])], SamplesSection(worst=2, best=1))
    assert shown is not None
    assert (shown.metric.name, ids(shown.worst), ids(shown.best)) == ("bert_similarity", ["d", "a"], ["b"])


@pytest.mark.parametrize(
    ("number", "worst", "best"), [(1, ["a"], []), (2, ["a"], ["b"]), (3, ["a", "b"], ["c"]), (4, ["a", "b"], ["d", "c"])]
)
def test_of_few_samples_none_is_shown_twice(make, number, worst, best):
    scores = [0.1 * place for place in range(number)]
    shown = shown_samples([scored(make, scores)], SamplesSection(worst=6, best=6))
    assert shown is not None
    assert (ids(shown.worst), ids(shown.best)) == (worst, best)


def test_a_chosen_metric_ranks_and_its_ties_are_told_apart_by_the_other_scores(make):
    shown = shown_samples([make.tuned_model()], SamplesSection(worst=1, best=1, ranked_by="exercise_accuracy"))
    assert shown is not None
    # a and b are both right; b has the lower similarity.
    assert (ids(shown.worst), ids(shown.best)) == (["b"], ["a"])


def test_where_nothing_is_scored_or_wanted_nothing_is_shown(make):
    nothing = scored(make, [None, None])
    summary = {name: figures.model_copy(update={"n": 0}) for name, figures in nothing.evaluation.summary.items()}
    nothing = nothing.model_copy(update={"evaluation": nothing.evaluation.model_copy(update={"summary": summary})})
    assert shown_samples([nothing], SamplesSection()) is None
    assert shown_samples([make.tuned_model()], SamplesSection(worst=0, best=0)) is None


def test_the_videos_of_the_shown_samples_are_asked_for(make):
    content = make.content(samples=SamplesSection(worst=1, best=1))
    assert pictured_videos(content) == ["clips/d.mp4", "clips/a.mp4"]


@pytest.mark.parametrize(
    ("length", "count", "places"),
    [(8, 4, [0, 2, 5, 7]), (3, 4, [0, 1, 2]), (1, 4, [0]), (9, 1, [4]), (5, 2, [0, 4]), (0, 4, [])],
)
def test_frames_are_spread_evenly(length, count, places):
    assert evenly(length, count) == places


def test_a_film_strip_shows_the_chosen_frames_in_their_order():
    frames = [picture(colour, time=time) for colour, time in (("red", 0.0), ("lime", 0.5), ("blue", 1.0))]
    strip = film_strip(frames, 2)
    assert strip.times == (0.0, 1.0)
    image = Image.open(io.BytesIO(strip.jpeg))
    # Two frames of 64 by 48 with a gap of 2, each shown 148 pixels wide.
    assert image.size == (130, 48)
    assert (strip.width, strip.height) == (301, 111)
    left, right = image.getpixel((30, 24)), image.getpixel((100, 24))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 200 > left[2]
    assert right[2] > 200 > right[0]


def test_large_frames_are_shrunk_and_many_go_on_below():
    strip = film_strip([picture("red", (1280, 720))] * 6, 6)
    image = Image.open(io.BytesIO(strip.jpeg))
    assert image.height < 2 * 224 + 20
    assert image.width < 4 * 296 + 40
    assert len(strip.jpeg) < 40_000
    assert len(strip.times) == 6


def test_the_sheet_has_the_worst_and_the_best_with_their_frames(make, tmp_path):
    frames = {"clips/d.mp4": [picture("red", time=0.25)], "clips/a.mp4": [picture("blue", time=0.5)]}
    sheet = written(make.content(samples=SamplesSection(worst=1, best=1), frames=frames), tmp_path)["Samples"]
    lines = lines_of(sheet)
    assert lines[0] == ["Worst BERT similarity"]
    headings = ["Sample", "Video", "Frames", "Wanted answer", "Answer of tuned, version 3", "Answer of base"]
    assert lines[2] == [*headings, "BERT similarity", "Exercise right?"]
    assert lines[3][0] == "d\n\nFrames at 0.2 s"
    assert lines[3][-2:] == [0.15, "–"]
    assert lines[4] == ["Best BERT similarity"]
    assert (lines[7][0], lines[7][-2:]) == ("a\n\nFrames at 0.5 s", [0.95, "yes"])
    # Each picture lies in the cell of its row, which is tall enough for it.
    anchors = [(image.anchor._from.row + 1, image.anchor._from.col) for image in sheet._images]
    rows = [cell.row for cell in sheet["A"] if str(cell.value).startswith(("d\n", "a\n"))]
    assert anchors == [(row, 2) for row in rows]
    assert all(sheet.row_dimensions[row].height >= 112 * 0.75 for row in rows)


def test_without_frames_the_sheet_has_no_column_of_them(make, tmp_path):
    sheet = written(make.content(samples=SamplesSection(worst=1, best=1)), tmp_path)["Samples"]
    assert "Frames" not in [cell.value for row in sheet.iter_rows() for cell in row]
    assert not sheet._images


def test_the_frames_of_shown_samples_are_files_named_by_rank_and_sample(make, tmp_path):
    content = make.content(models=[scored(make, [0.2, 0.9, 0.5])])
    frames = {row.video: [picture("red"), picture("blue")] for row in content.main.rows if row.video}
    files = write_strips(content.model_copy(update={"samples": SamplesSection(worst=1, best=1), "frames": frames}), tmp_path)
    assert [file.name for file in files] == ["worst-01-a.jpg", "best-01-b.jpg"]
    assert Image.open(files[0]).width > 2 * 64
    assert write_strips(content.model_copy(update={"frames": {}}), tmp_path) == []
