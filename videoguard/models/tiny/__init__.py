"""A tiny InternVL and its tokenizer, built from a config and briefly pre-trained, for the quickstart and the tests."""
