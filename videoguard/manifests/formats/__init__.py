"""One module a format: how it is recognised, read and written."""
