"""How answers are generated."""

from videoguard.config.section import PositiveInt, Section


class InferenceSection(Section):
    """How answers are generated (greedily)."""

    batch_size: PositiveInt = 32
    """Videos answered together."""
    max_new_tokens: PositiveInt = 256
    """Longest answer, tokens."""
    constrained: bool = False
    """Hold every answer to `dataset.answer.json_schema` while it is generated, so that it fits whatever the model learnt."""
    repair: bool = True
    """Mend answers that are broken JSON, where `dataset.answer` wants JSON; how many were mended is counted."""
    label_scores: bool = False
    """Score the labels of the training split for each sample, beside its answer: the likeliest one and its probability."""
    threads: PositiveInt = 1
    """Threads of the inference process on a CPU."""
    shards: PositiveInt = 1
    """Parts of the test split that are answered as tasks of their own, cut by video content; each loads the model."""
