"""The Excel workbook: what it says (`content`) and how it is laid out (a module a sheet)."""
