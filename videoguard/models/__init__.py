"""Models: families, loading, the preprocessing record, and a tiny model built from its config."""
