"""A workbook read back."""

from openpyxl import load_workbook

from videoguard.report.workbook import write_workbook


def written(content, folder):
    """The workbook of a content, after a journey through a file."""
    write_workbook(content, folder / "report.xlsx")
    return load_workbook(folder / "report.xlsx")


def lines_of(sheet):
    """The cells of each row that are not empty."""
    rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
    return [row for row in rows if row]
