"""Answers that are JSON: held to a schema while they are written, ended where the value ends, or mended afterwards."""
