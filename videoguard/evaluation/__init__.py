"""From answered rows to scores, and what the scores need."""
