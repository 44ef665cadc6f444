"""The sheets Nights and Drift: figures of the nights, a chart that refers to their cells, and the same on the page."""

from datetime import UTC, datetime

from openpyxl import load_workbook

from tests.nights.nights import FACTS, night
from videoguard.evaluation.scores import Evaluation, MetricSummary
from videoguard.nights.night import AskedModel, EarlierComparison, InputShift, Night, ScoreShift
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.sections import sections_of
from videoguard.report.workbook import write_workbook


def scored(day: int, mean: float, **changes: object) -> Night:
    found = MetricSummary(n=40, unscored=0, mean=mean, ci_low=mean - 0.05, ci_high=mean + 0.04)
    asked = {"champion": AskedModel(version="3", scores={"likeness": found}, computed=2)}
    return night(day, asked=asked, metrics={"likeness": FACTS["likeness"]}, samples=40, **changes)


def content(*nights: Night) -> ReportContent:
    model = ModelResult(name="Champion", version="3", rows=[], evaluation=Evaluation(rows=[], summary={}))
    return ReportContent(title="Trial", created=datetime(2026, 11, 3, tzinfo=UTC), models=[model], nights=list(nights))


SHIFTS = {
    "outcome": "regressed",
    "reasons": ["likeness 0.700 to 0.600"],
    "comparisons": [
        EarlierComparison.model_validate(
            {
                "night": night(1).name,
                "version": "2",
                "samples": 38,
                "added": 2,
                "removed": 1,
                "pairs": [
                    {
                        "metric": "likeness",
                        "first": "before",
                        "second": "tonight",
                        "n": 38,
                        "unscored": 0,
                        "first_mean": 0.7,
                        "second_mean": 0.6,
                        "difference": -0.1,
                        "p_corrected": 0.002,
                        "worse": 30,
                    }
                ],
            }
        )
    ],
    "input_shifts": [
        InputShift(
            name="brightness", earlier=38, new=9, distance=1.5, p_value=0.001, p_corrected=0.006, drifted=True, words="dark"
        )
    ],
    "score_shifts": [ScoreShift(metric="likeness", earlier=38, new=2, earlier_mean=0.6, new_mean=0.5, p_value=None)],
}


def test_the_trend_the_comparison_and_the_drift_are_in_the_workbook(tmp_path):
    write_workbook(content(scored(1, 0.7), scored(2, 0.71), scored(3, 0.6, **SHIFTS)), tmp_path / "book.xlsx")
    book = load_workbook(tmp_path / "book.xlsx")
    nights = [[cell.value for cell in row] for row in book["Nights"].iter_rows()]
    assert nights[0][0] == "Night of 2026-11-03: regressed"
    trend = [row for row in nights if row[3] == "version 3"]
    assert [(row[0], row[2], row[4], row[5], row[6], row[7]) for row in trend] == [
        (1, "passed", 40, 2, 0.7, 0.7 - 0.05),
        (2, "passed", 40, 2, 0.71, 0.71 - 0.05),
        (3, "regressed", 40, 2, 0.6, 0.6 - 0.05),
    ]
    assert any(row[:5] == [night(1).name, "Likeness", 0.7, 0.6, -0.1] for row in nights)
    (chart,) = book["Nights"]._charts  # type: ignore[attr-defined]
    assert len(chart.series) == 1
    first = next(place for place, row in enumerate(nights, start=1) if row[3] == "version 3")
    assert chart.series[0].yVal.numRef.f == f"'Nights'!$G${first}:$G${first + 2}"
    assert chart.series[0].errBars is not None
    drift = [[cell.value for cell in row] for row in book["Drift"].iter_rows()]
    assert ["brightness", 38, 9, "dark", 1.5, 0.001, 0.006, "drifted"] in drift
    assert [row[7] for row in drift if row[0] == "score: likeness"] == ["too few videos"]


def test_a_workbook_of_no_night_has_neither_sheet_and_the_first_night_no_drift(tmp_path):
    write_workbook(content(), tmp_path / "none.xlsx")
    assert not {"Nights", "Drift"} & set(load_workbook(tmp_path / "none.xlsx").sheetnames)
    write_workbook(content(scored(1, 0.7)), tmp_path / "first.xlsx")
    assert "Drift" not in load_workbook(tmp_path / "first.xlsx").sheetnames


def test_the_page_says_the_same(tmp_path):
    found = {section.name: section for section in sections_of(content(scored(1, 0.7), scored(2, 0.6, **SHIFTS)), tmp_path)}
    trend, pairs = found["nights"].tables
    assert [[cell.text for cell in row][-1] for row in trend.rows] == ["0.700 (0.650 – 0.740)", "0.600 (0.550 – 0.640)"]
    assert [cell.text for cell in next(iter(pairs.rows))][1:5] == ["likeness", "0.700", "0.600", "-0.100"]
    assert next(iter(found["drift"].tables[0].rows))[0].text == "brightness"
