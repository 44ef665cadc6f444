"""What is taken for what: the choice of classes, and the sheet read back."""

from tests.report.reading import lines_of, written
from videoguard.evaluation.scores import UNNAMED, ClassFigures, Classification, ConfusionCell
from videoguard.report.confusion import OTHERS, mistakes_of, shown_matrix


def figures(label, wanted=10):
    return ClassFigures(label=label, wanted=wanted, named=wanted, right=wanted, accuracy=1.0, precision=1.0, f1=1.0)


def cell(wanted, answered, count):
    return ConfusionCell(wanted=wanted, answered=answered, count=count)


def many():
    """Four classes: b and d are taken for each other, a is once taken for c, and a names nothing once."""
    cells = [cell(label, label, 7) for label in "abcd"]
    cells += [cell("b", "d", 3), cell("d", "b", 2), cell("a", "c", 1), cell("a", UNNAMED, 1)]
    return Classification(n=35, unscored=0, classes=[figures(label) for label in "abcd"], confusion=cells)


def test_all_classes_are_shown_where_they_fit():
    matrix = shown_matrix(many(), 10)
    assert [line.label for line in matrix.lines] == list("abcd")
    assert matrix.columns == [*"abcd", UNNAMED]
    assert (matrix.counts["b", "d"], matrix.counts["a", UNNAMED], ("c", "a") in matrix.counts) == (3, 1, False)


def test_of_too_many_classes_those_with_most_mistakes_are_shown_and_none_is_lost():
    matrix = shown_matrix(many(), 3)
    # b and d have a part in five mistakes each, a in two, c in one.
    assert [line.label for line in matrix.lines] == list("abd")
    assert matrix.columns == [*"abd", OTHERS, UNNAMED]
    assert matrix.counts["a", OTHERS] == 1
    assert sum(count for (wanted, _), count in matrix.counts.items() if wanted == "a") == 9


def test_two_thousand_classes_are_cut_down_to_a_page():
    labels = [f"class {number:04d}" for number in range(2000)]
    cells = [cell(label, labels[place - 1], 1) for place, label in enumerate(labels)]
    found = Classification(n=2000, unscored=0, classes=[figures(label, 1) for label in labels], confusion=cells)
    matrix = shown_matrix(found, 25)
    assert len(matrix.lines) == 25
    assert len(matrix.columns) == 26
    assert sum(matrix.counts.values()) == 25


def test_mistakes_stand_by_their_number():
    assert [(mistake.wanted, mistake.answered) for mistake in mistakes_of(many())][:2] == [("b", "d"), ("d", "b")]


def test_the_sheet_has_the_matrix_and_the_mistakes(make, tmp_path):
    book = written(make.content(), tmp_path)
    lines = lines_of(book["Confusion"])
    assert lines[:2] == [
        ["Exercise identification: what was taken for what"],
        ["tuned, version 3: 15 samples, 86.7% right, macro-F1 0.900; 1 unscored, in no cell."],
    ]
    start = lines.index(["Wanted", "lunge", "squat", UNNAMED, "Samples", "Accuracy", "Precision", "F1"])
    assert lines[start + 1 : start + 3] == [
        ["lunge", 5, 0, 0, 5, 1, 5 / 6, 10 / 11],
        ["squat", 1, 8, 1, 10, 0.8, 1, 16 / 18],
    ]
    start = lines.index(["Wanted", "Named instead", "Samples", "Of the wanted"])
    assert lines[start + 1 :] == [["squat", "lunge", 1, 0.1], ["squat", UNNAMED, 1, 0.1]]


def test_right_and_wrong_differ_in_colour_and_zero_is_blank(make, tmp_path):
    sheet = written(make.content(), tmp_path)["Confusion"]
    row = next(row for row in sheet.iter_rows() if row[0].value == "squat")
    wrong, right, unnamed = row[1:4]
    assert right.fill.start_color.rgb != wrong.fill.start_color.rgb == unnamed.fill.start_color.rgb
    empty = next(row for row in sheet.iter_rows() if row[0].value == "lunge")[2]
    assert (empty.value, empty.number_format, empty.fill.fill_type) == (0, "#,##0;;", None)


def test_without_classes_there_is_no_sheet(make, tmp_path):
    assert "Confusion" not in written(make.content(models=[make.base_model()]), tmp_path).sheetnames
