"""Answers of a model on a dataset; runs in a process of its own."""
