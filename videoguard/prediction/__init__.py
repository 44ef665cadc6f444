"""Answers of any model to any videos: what `video-guard predict` and `load_model` do."""
