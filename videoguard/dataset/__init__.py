"""The dataset: splits that do not leak, and chat messages."""
