"""The sheet Comparison, read back."""

from tests.report.reading import lines_of, written


def test_without_a_comparison_there_is_no_sheet(make, tmp_path):
    assert "Comparison" not in written(make.content(), tmp_path).sheetnames


def test_every_figure_of_the_comparison_stands_in_its_line(make, tmp_path):
    found = make.comparison()
    lines = lines_of(written(make.content(comparison=found), tmp_path)["Comparison"])
    assert lines[1] == ["4 samples that every model was asked about."]
    start = lines.index(["tuned, version 3, compared with base"])
    assert lines[start + 1][:6] == ["Metric", "base", "tuned, version 3", "Difference", "95 % low", "95 % high"]
    pair = found.pairs[1]
    figures = [pair.first_mean, pair.second_mean, pair.difference, pair.ci_low, pair.ci_high]
    counts = [pair.n, pair.unscored, pair.better, pair.equal, pair.worse]
    tested = [pair.test, pair.p_value, pair.p_corrected, pair.verdict]
    # What could be compared stands first, because a chart draws one run of cells; two hidden cells hold its interval.
    assert lines[start + 2][:-2] == ["BERT similarity", *figures, *counts, *tested]
    assert lines[start + 3] == ["Exercise identification", *["–"] * 5, 0, 4, 0, 0, 0, *["–"] * 4]


def test_samples_that_changed_stand_with_all_answers(make, tmp_path):
    lines = lines_of(written(make.content(comparison=make.comparison()), tmp_path)["Comparison"])
    start = lines.index(["Samples that changed most"])
    assert lines[start + 1 :] == [
        [
            *("Metric", "base", "tuned, version 3", "Change", "Sample"),
            *("Wanted answer", "Answer of base", "Answer of tuned, version 3"),
        ],
        ["BERT similarity", 0.25, 0.95, 0.7, "a", "squat - good", "lunge - bad", "squat - good"],
    ]


def test_what_was_left_out_and_a_partial_comparison_are_told(make, tmp_path):
    found = make.comparison().model_copy(update={"left_out": {"base": 3, "tuned": 0}, "partial": "limit=4"})
    sheet = written(make.content(comparison=found), tmp_path)["Comparison"]
    lines = lines_of(sheet)
    assert lines[0] == ["Partial run: limit=4"]
    assert ["base: 3 more samples that another model lacks are in no figure here."] in lines
    assert not any("tuned" in str(line[0]) and "more samples" in str(line[0]) for line in lines)


def test_the_charts_draw_differences_and_counts_and_cover_no_cell(make, tmp_path):
    sheet = written(make.content(comparison=make.comparison()), tmp_path)["Comparison"]
    difference, counts = sheet._charts

    def cells(reference):
        found = sheet[reference.partition("!")[2].replace("$", "")]
        return [found.value] if not isinstance(found, tuple) else [row[0].value for row in found]

    assert [cells(series.val.numRef.f) for series in difference.series] == [[0.0834]]
    assert [cells(series.val.numRef.f) for series in counts.series] == [[1], [0], [2]]
    for chart in (difference, counts):
        assert chart.x_axis.title is not None
        corner, end = chart.anchor._from, chart.anchor.to
        area = sheet.iter_rows(corner.row + 1, end.row, corner.col + 1, end.col, values_only=True)
        assert all(value is None for row in area for value in row)
