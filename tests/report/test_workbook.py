"""The workbook read back: every number against the scores, and what must hold whatever the content is."""

import math
import random
import re
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook

from videoguard.errors import UserError
from videoguard.evaluation.scores import Evaluation, MetricSummary, RowScores
from videoguard.report.content import ModelResult, RunFacts
from videoguard.report.workbook import WorkbookCounts, write_workbook

SHEETS = ["Summary", "Results", "Per exercise", "Confusion", "Samples", "Errors", "Run"]
LEAST_SHEETS = ["Summary", "Results", "Per exercise", "Errors", "Run"]


@pytest.fixture(scope="module")
def book(make, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.xlsx"
    write_workbook(make.content(), path)
    return load_workbook(path)


@pytest.fixture
def write(tmp_path):
    def write_and_read(content):
        write_workbook(content, tmp_path / "report.xlsx")
        return load_workbook(tmp_path / "report.xlsx")

    return write_and_read


def table(sheet, *headers):
    """Lines under the row that holds these headers, as lists, up to the first line without a first cell."""
    rows = list(sheet.iter_rows(values_only=True))
    start = next(index for index, row in enumerate(rows) if row[: len(headers)] == headers)
    lines = []
    for row in rows[start + 1 :]:
        if row[0] is None:
            break
        lines.append(list(row))
    return lines


def by_header(sheet, first):
    """Lines of the table whose first header is `first`, each as header → value."""
    rows = list(sheet.iter_rows(values_only=True))
    start = next(index for index, row in enumerate(rows) if row[0] == first)
    return [dict(zip(rows[start], row, strict=True)) for row in rows[start + 1 :] if row[0] is not None]


def texts(sheet):
    return [cell for row in sheet.iter_rows(values_only=True) for cell in row if isinstance(cell, str)]


def test_the_sheets_in_their_order(book):
    assert book.sheetnames == SHEETS


def test_sheets_and_titles_are_those_of_the_recipe(make, write):
    book = write(
        make.content(sheets=("run", "errors", "quality", "results"), sheet_titles={"results": "Videos & Antworten"})
    )
    assert book.sheetnames == ["Run", "Errors", "Videos & Antworten"]
    # Run stands first, and nevertheless tells what the sheets after it changed.
    nasty = make.tuned_model().model_copy(update={"rows": [make.answer_row(each, "=1+1") for each in "abcd"]})
    sheet = write(make.content(sheets=("run", "errors", "results"), models=[nasty]))["Run"]
    facts = {row[0].value: row[1].value for row in sheet.iter_rows() if row[0].value}
    assert facts["Cells that look like a formula, kept as text"] == "4"


def test_the_file_says_what_it_is(book):
    assert book.properties.title == "Nightly evaluation"
    assert book.properties.creator == "Video-Guard"


def test_the_headline_has_both_models_their_difference_and_the_colour(book):
    lines = table(book["Summary"], "Metric", "Name in files")[:2]
    assert lines[0][:14] == [
        *("BERT similarity", "bert_similarity"),
        *(0.5, "0.300 – 0.700", 4, 0),
        *(0.5, "0.150 – 0.950", 3, 1),
        *(0.0, "yellow", "green ≥ 0.7, yellow ≥ 0.4", None),
    ]
    assert lines[1][:13] == [
        *("Exercise identification", "exercise_accuracy"),
        *(pytest.approx(1 / 3), "0.0% – 100.0%", 3, 1),
        *(1.0, "100.0% – 100.0%", 2, 2),
        *(pytest.approx(2 / 3), "green", "green ≥ 90%, yellow ≥ 70%"),
    ]


def test_the_statistics_hold_every_figure_of_every_metric_and_model(book, make):
    lines = table(book["Summary"], "Metric", "Model", "n")
    colours = {
        ("base", "bert_similarity"): [1, 2, 1],
        ("base", "exercise_accuracy"): [1, 0, 2],
        ("tuned, version 3", "bert_similarity"): [1, 1, 1],
        ("tuned, version 3", "exercise_accuracy"): [2, 0, 0],
    }
    expected = []
    for model in make.content().models:
        for metric, words in (("bert_similarity", "BERT similarity"), ("exercise_accuracy", "Exercise identification")):
            figures = model.evaluation.summary[metric]
            line = [words, model.heading, figures.n, figures.unscored, figures.mean, figures.ci_low, figures.ci_high]
            spread = [figures.median, figures.std, "–", figures.min, figures.max]
            line += [*spread, *colours[model.heading, metric]]
            expected.append(line)
    assert [line[:15] for line in lines[:4]] == expected


def test_the_key_counts(book):
    rows = {row[0]: row[2:5] for row in book["Summary"].iter_rows(values_only=True) if isinstance(row[2], int)}
    assert rows["base"] == (4, 4, 0)
    assert rows["tuned, version 3"] == (4, 3, 1)
    assert rows["Videos quarantined, in no figure"][0] == 1
    assert rows["Manifest rows that could not be read"][0] == 1


def test_every_sample_has_its_line(book):
    lines = by_header(book["Results"], "Sample")
    assert [line["Sample"] for line in lines] == ["a", "b", "c", "d"]
    assert lines[0] == {
        "Sample": "a",
        "Video": "clips/a.mp4",
        "Exercise": "squat",
        "Wanted answer": "squat - good",
        "Answer of tuned, version 3": "squat - good",
        "Answer of base": "lunge - bad",
        "BERT similarity": 0.95,
        "Exercise in the answer": "squat",
        "Exercise right?": "yes",
        "New tokens": 5,
        "Status": "ok",
        "What is missing, and why": None,
    }
    assert lines[1]["Answer of tuned, version 3"] == "squat - 好 🏋️"
    failed = lines[2]
    assert [failed[name] for name in ("Status", "What is missing, and why")] == ["failed", "the decoder gave up"]
    unscored = ("Answer of tuned, version 3", "BERT similarity", "Exercise in the answer", "Exercise right?", "New tokens")
    assert {failed[name] for name in unscored} == {"–"}
    assert failed["Answer of base"] == "squat - good"
    assert lines[3]["What is missing, and why"] == "Exercise identification: no reference"
    assert (lines[3]["Exercise"], lines[3]["Exercise right?"]) == ("–", "–")


def test_the_samples_can_be_filtered_coloured_and_printed(book):
    sheet = book["Results"]
    assert sheet.auto_filter.ref == "A1:L5"
    assert sheet.freeze_panes == "B2"
    assert sheet.print_title_rows == "$1:$1"
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == ("landscape", 1, 0)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet["B2"].hyperlink.target == "clips/a.mp4"
    rules = {str(area.sqref): [rule.formula[0] for rule in area.rules] for area in sheet.conditional_formatting}
    assert rules == {
        "G2:G5": [
            "AND(ISNUMBER(G2),G2>=0.7)",
            "AND(ISNUMBER(G2),G2>=0.4)",
            "AND(ISNUMBER(G2),G2<0.4)",
        ],
        "I2:I5": [
            "AND(ISNUMBER(I2),I2>=0.9)",
            "AND(ISNUMBER(I2),I2>=0.7)",
            "AND(ISNUMBER(I2),I2<0.7)",
            'I2="yes"',
            'I2="no"',
        ],
    }
    assert all(cell.fill.fill_type is None for row in sheet["A2:L5"] for cell in row)


def test_headings_tell_the_code_name_and_the_thresholds(book):
    comment = book["Results"]["G1"].comment.text
    assert (
        comment == "Cosine of the embeddings.\nbert_similarity in files and in MLflow.\nColours: green ≥ 0.7, yellow ≥ 0.4."
    )


def test_exercises_stand_weakest_first_with_the_scored_before_the_unscored(book):
    assert table(book["Per exercise"], "Exercise", "Samples") == [
        ["squat", 2, 2, 0.5, 0.375, 2, 1.0, 0.675],
        ["lunge", 1, 1, 0.0, 0.75, 0, "–", "–"],
    ]
    assert "1 sample names no exercise, and can be in no line of this table." in texts(book["Per exercise"])


def test_a_count_that_differs_between_metrics_is_a_range(make, write):
    model = make.tuned_model()
    labels = {"squat": {**model.evaluation.by_label["squat"], "bert_similarity": MetricSummary(n=1, unscored=1, mean=0.9)}}
    changed = model.model_copy(update={"evaluation": model.evaluation.model_copy(update={"by_label": labels})})
    assert table(write(make.content(models=[changed]))["Per exercise"], "Exercise", "Samples")[0][:3] == [
        "squat",
        2,
        "1 – 2",
    ]


def test_everything_that_went_wrong_is_listed(book):
    assert table(book["Errors"], "What happened", "Model", "Metrics") == [
        ["Video quarantined", None, None, 1, "no frame could be decoded"],
        ["Manifest row unreadable", None, None, 1, "row 7, video: is missing"],
        ["Answer failed", "tuned, version 3", None, 1, "the decoder gave up"],
        ["Not scored", "base", "Exercise identification", 1, "no reference"],
        *[
            ["Not scored", "tuned, version 3", metrics, 1, reason]
            for metrics, reason in (
                ("BERT similarity, Exercise identification", "inference failed: the decoder gave up"),
                ("Exercise identification", "no reference"),
            )
        ],
    ]
    assert table(book["Errors"], "What happened", "Model", "Video") == [
        ["Video quarantined", None, "broken/cut.mp4", None, "no frame could be decoded"],
        ["Manifest row unreadable", None, None, None, "row 7, video: is missing"],
        ["Answer failed", "tuned, version 3", "clips/c.mp4", "c", "the decoder gave up"],
    ]
    assert "1 video quarantined, 1 manifest row unreadable, 1 answer failed. What failed is in no mean." in texts(
        book["Errors"]
    )


def test_the_run_is_told_with_links(book):
    facts = {row[0].value: row[1] for row in book["Run"].iter_rows() if row[0].value}
    assert facts["Recipe"].value == "qved"
    assert facts["MLflow page"].hyperlink.target == "http://127.0.0.1:5000/#/runs/1"
    assert facts["Characters removed that the format cannot carry"].value == "0"


def test_charts_are_labelled_and_cover_no_cell_that_says_something(book):
    charts = {name: book[name]._charts for name in SHEETS}
    assert {name: len(found) for name, found in charts.items() if found} == {"Summary": 2, "Per exercise": 1}
    for name, found in charts.items():
        for chart in found:
            assert all(axis.delete is False and axis.title is not None for axis in (chart.x_axis, chart.y_axis))
            corner, end = chart.anchor._from, chart.anchor.to
            area = book[name].iter_rows(corner.row + 1, end.row, corner.col + 1, end.col, values_only=True)
            assert all(value is None for row in area for value in row)
    left, right = (chart.anchor for chart in charts["Summary"])
    assert left.to.col <= right._from.col


def test_charts_draw_the_cells_of_the_tables(book):
    sheet = book["Summary"]

    def values(reference):
        cells = sheet[reference.partition("!")[2].replace("$", "")]
        return [row[0].value for row in cells]

    means, colours = sheet._charts
    assert [values(series.val.numRef.f) for series in means.series] == [[0.5, pytest.approx(1 / 3)], [0.5, 1.0]]
    below = [values(series.errBars.minus.numRef.f) for series in means.series]
    above = [values(series.errBars.plus.numRef.f) for series in means.series]
    assert below == [pytest.approx([0.2, 1 / 3]), pytest.approx([0.35, 0.0])]
    assert above == [pytest.approx([0.2, 2 / 3]), pytest.approx([0.45, 0.0])]
    assert [values(series.val.numRef.f) for series in colours.series] == [[1, 2], [1, 0], [1, 0]]


def test_a_partial_run_says_so_wherever_its_numbers_stand(make, write):
    book = write(make.content(partial="limit=4: not for comparison"))
    for name in SHEETS:
        assert "Partial run: limit=4: not for comparison" in texts(book[name])
        assert book[name].oddHeader.center.text == "Partial run: not for comparison"
    assert book["Results"]["A2"].value == "Sample"
    assert book["Results"].auto_filter.ref == "A2:L6"


def test_a_full_run_does_not_say_that_it_is_partial(book):
    assert not any("Partial" in text for name in SHEETS for text in texts(book[name]))


def empty_model():
    return ModelResult(name="tuned", rows=[], evaluation=Evaluation(rows=[], summary={}))


def all_failed_model(make):
    rows = [make.answer_row(id_, None) for id_ in "abc"]
    summary = {"meteor": MetricSummary(n=0, unscored=3)}
    return ModelResult(name="tuned", rows=rows, evaluation=Evaluation(rows=[], summary=summary, metrics=make.metrics))


def one_row_model(make):
    summary = {"meteor": MetricSummary(n=1, unscored=0, mean=0.25, median=0.25, min=0.25, max=0.25)}
    scores = make.scores_of("a", None, None).model_copy(update={"scores": {"meteor": 0.25}, "reasons": {}})
    evaluation = Evaluation(rows=[scores], summary=summary, by_label={"squat": summary}, metrics=make.metrics)
    return ModelResult(name="tuned", rows=[make.answer_row("a")], evaluation=evaluation)


def test_no_sample_at_all(make, write):
    book = write(make.content(models=[empty_model()], quarantine=[], row_problems=[], facts=RunFacts()))
    assert book.sheetnames == LEAST_SHEETS
    assert "No metric was computed." in texts(book["Summary"])
    assert "No sample was evaluated." in texts(book["Results"])
    assert texts(book["Errors"]) == [
        "What failed, and why",
        "Nothing failed: every video was read, every manifest row understood, every sample answered.",
    ]


def test_every_answer_failed(make, write):
    book = write(make.content(models=[all_failed_model(make)]))
    line = table(book["Summary"], "Metric", "Name in files")[0]
    assert line[:6] == ["METEOR", "meteor", "–", "–", 0, 3]
    assert not book["Summary"]._charts
    assert [line["METEOR"] for line in by_header(book["Results"], "Sample")] == ["–", "–", "–"]
    counted = table(book["Errors"], "What happened", "Model", "Metrics")
    assert [line for line in counted if line[1] == "tuned"] == [
        ["Answer failed", "tuned", None, 3, "the decoder gave up"],
        ["Not scored", "tuned", "METEOR", 3, "the decoder gave up"],
    ]


def test_nothing_is_charted_of_a_model_that_failed_beside_one_that_did_not(make, write):
    failed = all_failed_model(make)
    summary = dict.fromkeys(make.base_model().evaluation.summary, MetricSummary(n=0, unscored=3))
    failed = failed.model_copy(update={"evaluation": failed.evaluation.model_copy(update={"summary": summary})})
    sheet = write(make.content(models=[make.base_model(), failed]))["Summary"]
    assert table(sheet, "Metric", "Name in files")[0][:12] == [
        *("BERT similarity", "bert_similarity", 0.5, "0.300 – 0.700", 4, 0),
        *("–", "–", 0, 3, "–", "–"),
    ]
    assert len(sheet._charts) == 1


def test_a_single_sample_of_a_single_model(make, write):
    book = write(make.content(models=[one_row_model(make)]))
    line = table(book["Summary"], "Metric", "Name in files")[0]
    assert line[:8] == ["METEOR", "meteor", 0.25, "–", 1, 0, "–", "none set"]
    statistics = table(book["Summary"], "Metric", "Model", "n")[0]
    assert statistics[2:] == [1, 0, 0.25, "–", "–", 0.25, "–", "–", 0.25, 0.25, "–", "–", "–", *statistics[15:]]
    assert "Difference" not in texts(book["Summary"])
    assert table(book["Per exercise"], "Exercise", "Samples") == [["squat", 1, 1, 0.25]]


def test_a_metric_without_any_score_has_no_column_of_dashes(make, write):
    model = make.tuned_model()
    summary = {**model.evaluation.summary, "json_validity": MetricSummary(n=0, unscored=4)}
    changed = model.model_copy(update={"evaluation": model.evaluation.model_copy(update={"summary": summary})})
    book = write(make.content(models=[changed]))
    assert "JSON valid?" not in by_header(book["Results"], "Sample")[0]
    assert ["JSON validity", "json_validity", "–", "–", 0, 4] in [
        line[:6] for line in table(book["Summary"], "Metric", "Name in files")
    ]


NASTY = {
    "=1+1": "=1+1",
    '=HYPERLINK("http://x.example","y")': '=HYPERLINK("http://x.example","y")',
    "a\x00b\x1b": "ab",
    "\ttab": "\ttab",
    "#REF!": "#REF!",
    "": "(empty answer)",
}


@pytest.fixture(scope="module")
def nasty(make, tmp_path_factory):
    """A workbook whose every text is hostile, and its counts."""
    answers = [*NASTY, "x" * 40_000]
    rows = [make.answer_row(str(number), answer, label="=cmd()") for number, answer in enumerate(answers)]
    summary = {"@sum": MetricSummary(n=len(rows), unscored=0, mean=float("nan"), ci_low=float("inf"), ci_high=1.0)}
    scores = [make.scores_of(row.id, None, None).model_copy(update={"scores": {"@sum": float("nan")}}) for row in rows]
    evaluation = Evaluation(rows=scores, summary=summary, by_label={"=cmd()": summary})
    content = make.content(
        title="=title()\x07",
        models=[ModelResult(name="=name()\x00", version="+1", rows=rows, evaluation=evaluation)],
        facts=RunFacts(sections={"=section()": {"@fact": "-value"}}),
        row_problems=["=problem()"],
        partial="=partial()",
    )
    path = tmp_path_factory.mktemp("nasty") / "nasty.xlsx"
    return path, write_workbook(content, path)


def test_hostile_answers_are_shown_as_they_are(nasty):
    path, counts = nasty
    sheet = load_workbook(path)["Results"]
    answers = [sheet.cell(row, 5).value for row in range(3, 3 + len(NASTY))]
    assert answers == list(NASTY.values())
    assert str(sheet.cell(3 + len(NASTY), 5).value).endswith(" … [cut: 40,000 characters]")
    assert counts.cut_cells == 1
    assert counts.removed_characters > 2
    assert counts.escaped_cells > 6


def test_no_cell_of_any_sheet_is_a_formula_an_error_or_no_number(nasty):
    path, _ = nasty
    with ZipFile(path) as archive:
        for name in archive.namelist():
            root = ElementTree.fromstring(archive.read(name))  # every part is well-formed
            if name.startswith("xl/worksheets/sheet"):
                tags = {element.tag.rpartition("}")[2] for element in root.iter()}
                assert "f" not in tags
                kinds = {cell.get("t") for cell in root.iter() if cell.tag.endswith("}c")}
                assert kinds <= {"inlineStr", "n"}
                numbers = [element.text for element in root.iter() if element.tag.endswith("}v")]
                assert all(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", number or "") for number in numbers)


def test_the_counts(make, tmp_path):
    counts = write_workbook(make.content(), tmp_path / "report.xlsx")
    assert counts == WorkbookCounts(rows=4, sheets=7, escaped_cells=0, removed_characters=0, cut_cells=0)


def test_the_same_content_gives_the_same_bytes(make, tmp_path):
    first, second = tmp_path / "first.xlsx", tmp_path / "second.xlsx"
    write_workbook(make.content(), first)
    write_workbook(make.content(), second)
    assert first.read_bytes() == second.read_bytes()
    write_workbook(make.content(title="Another"), second)
    assert first.read_bytes() != second.read_bytes()


def test_a_link_leads_from_where_the_workbook_is_opened(make, tmp_path):
    content = make.content(media_root=tmp_path / "videos")
    write_workbook(content, tmp_path / "staging" / "report.xlsx", opened_from=tmp_path / "reports")
    sheet = load_workbook(tmp_path / "staging" / "report.xlsx")["Results"]
    assert sheet["B2"].hyperlink.target == "../videos/clips/a.mp4"


def test_the_file_is_replaced_whole_and_nothing_is_left_beside_it(make, tmp_path):
    path = tmp_path / "new folder" / "report.xlsx"
    write_workbook(make.content(), path)
    write_workbook(make.content(title="Another"), path)
    assert load_workbook(path)["Summary"]["A1"].value == "Another"
    assert [file.name for file in path.parent.iterdir()] == ["report.xlsx"]


def test_a_place_that_cannot_be_written_is_named(make, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file/report.xlsx: the report cannot be written"):
        write_workbook(make.content(), tmp_path / "file" / "report.xlsx")
    (tmp_path / "folder.xlsx").mkdir()
    with pytest.raises(UserError, match=r"folder.xlsx: the report cannot be written"):
        write_workbook(make.content(), tmp_path / "folder.xlsx")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.xlsx"]


def test_every_score_of_every_sample_comes_back_whole(make, write):
    """200 samples by five metrics with scores that have many digits, a fifth of them unscored."""
    chance = random.Random(0)
    names = ("bert_similarity", "meteor", "rouge_l", "exercise_accuracy", "judge")
    rows, scores = [], []
    for place in range(200):
        rows.append(make.answer_row(f"s{place}", mean_token_logprob=-chance.random()))
        given = {name: chance.uniform(-1, 1) if chance.random() < 0.8 else None for name in names}
        given["exercise_accuracy"] = chance.choice([0.0, 1.0, None])
        scores.append(RowScores(id=f"s{place}", scores=given))
    summary = {name: MetricSummary(n=200, unscored=0, mean=0.5) for name in names}
    evaluation = Evaluation(rows=scores, summary=summary, metrics=make.metrics)
    lines = by_header(
        write(make.content(models=[ModelResult(name="m", rows=rows, evaluation=evaluation)]))["Results"], "Sample"
    )
    headings = ("BERT similarity", "METEOR", "ROUGE-L", "Exercise right?", "Judge")
    words = {0.0: "no", 1.0: "yes"}
    for line, row, entry in zip(lines, rows, scores, strict=True):
        assert line["Sample"] == row.id
        assert line["Confidence"] == pytest.approx(math.exp(row.mean_token_logprob), rel=1e-12)
        for heading, name in zip(headings, names, strict=True):
            score = entry.scores[name]
            if score is None or name == "exercise_accuracy":
                assert line[heading] == ("–" if score is None else words[score])
            else:
                # The file has 16 digits of a number.
                assert line[heading] == pytest.approx(score, rel=1e-15)
