"""A video in, a few stored frames out: sampling, decoding, extraction and the frame store."""
