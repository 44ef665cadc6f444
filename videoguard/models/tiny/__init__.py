"""Tiny models of every family, built from a config and briefly pre-trained, for the quickstart and the tests."""
