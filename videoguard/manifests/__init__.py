"""Readers: a manifest in, typed samples out."""
