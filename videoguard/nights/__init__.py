"""Nightly evaluations: what each found, how it compares with earlier ones, and who is told."""
