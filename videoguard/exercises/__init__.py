"""Synthetic exercise videos: short clips of a stick figure, with the answers that are wanted of a model."""
