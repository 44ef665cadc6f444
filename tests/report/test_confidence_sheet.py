"""The sheet Confidence and its section of the page, read back."""

import re

import pytest
from openpyxl import load_workbook

from tests.report.reading import lines_of, written
from videoguard.evaluation.calibration import calibrate
from videoguard.report.content import ReportContent
from videoguard.report.sections import sections_of
from videoguard.report.web_page import write_page

# Bins (0.2, 0.3]: 0.25 wrong, 0.3 right; (0.8, 0.9]: 0.9 right; (0.9, 1.0]: 1.0 right, 0.96 wrong. One more failed.
SCORED = ((0.9, "squat"), (1.0, "squat"), (0.96, "plank"), (0.25, "plank"), (0.3, "squat"), (None, None))
ERROR = 0.302  # 2/5 · 0.225 + 1/5 · 0.1 + 2/5 · 0.48
BRIER = 0.29682  # (0.01 + 0 + 0.9216 + 0.0625 + 0.49) / 5
POINTS = [(0.275, 0.5), (0.9, 1.0), (0.98, 0.5)]


def scored(make, model, answers=SCORED):
    """The model with the calibration of answers to squats."""
    rows = [
        make.answer_row(f"s{number}", predicted_label=label, label_probability=probability)
        for number, (probability, label) in enumerate(answers)
    ]
    evaluation = model.evaluation.model_copy(update={"calibration": calibrate(rows)})
    return model.model_copy(update={"evaluation": evaluation})


@pytest.fixture
def told(make) -> ReportContent:
    content: ReportContent = make.content(
        models=[scored(make, make.base_model(), ((0.55, "plank"), (0.55, "squat"))), scored(make, make.tuned_model())]
    )
    return content


def test_headline_and_bins_of_each_model_stand_in_the_sheet(told, tmp_path):
    lines = lines_of(written(told, tmp_path)["Confidence"])
    assert ["base", 2, 0, 0.5, 0.55, pytest.approx(0.05), pytest.approx((0.3025 + 0.2025) / 2)] in lines
    assert ["tuned, version 3", 5, 1, 0.6, pytest.approx(0.682), pytest.approx(ERROR), pytest.approx(BRIER)] in lines
    bins = {line[0]: line[1:] for line in lines if re.fullmatch(r"0\.\d to \d\.\d", str(line[0]))}
    assert len(bins) == 10
    assert bins["0.2 to 0.3"] == [0, "–", "–", 2, pytest.approx(0.275), 0.5]
    assert bins["0.5 to 0.6"] == [2, 0.55, 0.5, 0, "–", "–"]
    assert bins["0.9 to 1.0"] == [0, "–", "–", 2, pytest.approx(0.98), 0.5]


def test_the_diagram_shows_the_diagonal_and_the_bins_that_have_samples(told, tmp_path):
    sheet = written(told, tmp_path)["Confidence"]
    (chart,) = sheet._charts
    assert [axis.title.tx.rich.p[0].r[0].t for axis in (chart.x_axis, chart.y_axis)] == [
        "Mean probability of the likeliest label",
        "Share of labels that are right",
    ]
    assert [(axis.scaling.min, axis.scaling.max) for axis in (chart.x_axis, chart.y_axis)] == [(0, 1), (0, 1)]
    # Hidden cells are left out of a chart unless it says otherwise.
    assert not chart.visible_cells_only

    def values(reference):
        first, _, last = reference.split("!")[1].replace("$", "").partition(":")
        return [cell.value for row in sheet[f"{first}:{last or first}"] for cell in row]

    lines = [list(zip(values(series.xVal.numRef.f), values(series.yVal.numRef.f), strict=True)) for series in chart.series]
    assert lines == [[(0, 0), (1, 1)], [(0.55, 0.5)], [pytest.approx(point) for point in POINTS]]
    assert chart.series[0].tx.v == "As right as it says"
    assert [values(series.tx.strRef.f) for series in chart.series[1:]] == [["base"], ["tuned, version 3"]]
    # LibreOffice names no series by a cell that is hidden.
    assert not sheet.column_dimensions["A"].hidden


def test_the_page_has_the_same_and_draws_it(told, tmp_path):
    (section,) = [part for part in sections_of(told, tmp_path) if part.name == "confidence"]
    rows = [[cell.text for cell in row] for table in section.tables for row in table.rows]
    assert ["tuned, version 3", "5", "1", "60.0%", "68.2%", "0.302", "0.297"] in rows
    assert ["0.2 to 0.3", "2", "27.5%", "50.0%"] in rows
    write_page(told, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    # 250 wide and high, its y from above.
    assert re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', page) == [
        ("137.5", "125.0"),
        ("68.8", "125.0"),
        ("225.0", "0.0"),
        ("245.0", "125.0"),
    ]
    assert "Mean probability of the likeliest label" in page
    assert "Share of labels that are right" in page


def test_a_model_without_scored_labels_is_left_out_and_without_any_there_is_no_sheet(make, tmp_path):
    one = make.content(models=[make.base_model(), scored(make, make.tuned_model())])
    (chart,) = written(one, tmp_path)["Confidence"]._charts
    assert len(chart.series) == 2
    written(make.content(), tmp_path)
    assert "Confidence" not in load_workbook(tmp_path / "report.xlsx").sheetnames
    assert "confidence" not in [section.name for section in sections_of(make.content(), tmp_path)]
