from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from videoguard.report.cells import LONGEST_TEXT, Pen, Tally, clean_text
from videoguard.report.styles import Style, add_styles


def units(text):
    return len(text.encode("utf-16-le")) // 2


def new_pen(tally=None):
    """A pen on the first sheet of a new workbook, with one column of 20 characters."""
    book = Workbook()
    add_styles(book)
    return Pen(book.worksheets[0], tally or Tally(), [20])


def written(texts):
    """The cells of column A after a journey through a file."""
    pen = new_pen()
    for row, text in enumerate(texts, start=1):
        pen.text(row, 1, text)
    file = BytesIO()
    pen.sheet.parent.save(file)
    sheet = load_workbook(file).worksheets[0]
    return [sheet.cell(row, 1) for row in range(1, len(texts) + 1)]


@pytest.mark.parametrize(
    ("raw", "text", "formula_like", "removed"),
    [
        ("squat - good", "squat - good", False, 0),
        ("=1+1", "=1+1", True, 0),
        ("+49 30 1234", "+49 30 1234", True, 0),
        ("-1", "-1", True, 0),
        ("@SUM(A1)", "@SUM(A1)", True, 0),
        ("\tindented", "\tindented", True, 0),
        ("\rreturned", "\nreturned", True, 0),
        ("\x00=1+1", "=1+1", True, 1),
        ("a\r\nb\rc\nd", "a\nb\nc\nd", False, 0),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m", False, 3),
        ("half \ud83d pair \ufffe\uffff", "half  pair ", False, 3),
        ("_x0041_", "_x005F_x0041_", False, 0),
        ("_x41_ stays", "_x41_ stays", False, 0),
        ("深蹲 👍🏽 القرفصاء", "深蹲 👍🏽 القرفصاء", False, 0),
        ("", "", False, 0),
    ],
)
def test_text_is_kept_as_far_as_the_format_allows(raw, text, formula_like, removed):
    assert clean_text(raw) == (text, formula_like, removed, False)


@pytest.mark.parametrize("filling", ["x", "é", "🏋", "a🏋"])
def test_a_text_too_long_is_cut_at_the_limit_and_says_so(filling):
    raw = filling * 40_000
    clean = clean_text(raw)
    assert clean.is_cut
    assert LONGEST_TEXT - 1 <= units(clean.text) <= LONGEST_TEXT
    assert clean.text.endswith(f" … [cut: {len(raw):,} characters]")
    assert raw.startswith(clean.text.partition(" … [cut")[0])


@pytest.mark.parametrize(("length", "is_cut"), [(LONGEST_TEXT, False), (LONGEST_TEXT + 1, True)])
def test_the_limit_itself_still_fits(length, is_cut):
    assert clean_text("x" * length).is_cut is is_cut


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()), max_size=30), min_size=1, max_size=20))
def test_any_text_comes_back_as_text(texts):
    for raw, cell in zip(texts, written(texts), strict=True):
        assert cell.data_type in ("s", "n")  # an empty cell reads as a number cell without a value
        assert cell.value == (clean_text(raw).text or None)


@pytest.mark.parametrize("raw", ["=1+1", "#N/A", "=", "1", "TRUE", "2026-10-17", "http://x.example"])
def test_what_looks_like_something_else_is_text(raw):
    cell = written([raw])[0]
    assert (cell.value, cell.data_type) == (raw, "s")


def test_text_that_looks_like_a_formula_stays_text_when_it_is_edited():
    plain, formula = written(["squat", "=1+1"])
    assert not plain.quotePrefix
    assert formula.quotePrefix


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_no_number_is_a_dash_and_not_zero(value):
    cell = new_pen().number(1, 1, value, Style.SCORE)
    assert (cell.value, cell.data_type) == ("–", "s")


def test_the_tally_counts_every_change():
    tally = Tally()
    pen = new_pen(tally)
    for row, text in enumerate(["=1", "-2", "a\x00\x01", "y" * 40_000, "plain"], start=1):
        pen.text(row, 1, text)
    assert tally == Tally(escaped=2, removed=2, cut=1)


def test_rows_grow_with_their_text_up_to_a_limit():
    pen = new_pen()
    for row, text in enumerate(["short", "word " * 12, "字" * 30, "a\nb\nc", "word " * 5000], start=1):
        pen.text(row, 1, text)
    pen.fit_heights(1, 5)
    heights = [pen.sheet.row_dimensions[row].height for row in range(1, 6)]
    # 60 characters, 30 wide ones and 3 short lines each take three lines in a column of 20; wide ones are a fifth taller.
    assert heights == pytest.approx([15.5, 42.5, 50.6, 42.5, 24 * 13.5 + 2])
