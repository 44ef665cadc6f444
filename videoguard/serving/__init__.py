"""The HTTP service: models that stay loaded, and what they say about videos that come over the network."""
