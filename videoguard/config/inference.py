"""How answers are generated."""

from videoguard.config.section import PositiveInt, Section


class InferenceSection(Section):
    """How answers are generated (greedily)."""

    batch_size: PositiveInt = 32
    """Videos answered together."""
    max_new_tokens: PositiveInt = 256
    """Longest answer, tokens."""
    threads: PositiveInt = 1
    """Threads of the inference process on a CPU."""
    shards: PositiveInt = 1
    """Parts of the test split that are answered as tasks of their own, cut by video content; each loads the model."""
