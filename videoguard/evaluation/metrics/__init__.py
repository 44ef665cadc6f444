"""The metrics: `evaluate.Metric` modules that score a whole list of answers in one call."""
