"""How answers are generated."""

from typing import Annotated, Literal

from pydantic import Field

from videoguard.config.section import PositiveInt, Section


class InferenceSection(Section):
    """How answers are generated (greedily)."""

    batch_size: PositiveInt = 32
    """Answers written at a time; halved where they do not fit into memory."""
    max_new_tokens: PositiveInt = 256
    """Longest answer, tokens."""
    constrained: bool = False
    """Hold every answer to `dataset.answer.json_schema` while it is generated, so that it fits whatever the model learnt."""
    repair: bool = True
    """Mend answers that are broken JSON, where `dataset.answer` wants JSON; how many were mended is counted."""
    label_scores: bool = False
    """Score the labels of the training split for each sample, beside its answer: the likeliest one and its probability."""
    workers: Annotated[int, Field(ge=0)] = 1
    """Processes that read frames and prepare prompts ahead of the model; 0 does so in between."""
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    """Where the model computes; `auto` is a GPU where there is one. Each of several shards takes the next GPU."""
    threads: PositiveInt = 1
    """Threads of the inference process on a CPU."""
    shards: PositiveInt = 1
    """Parts of the test split that are answered as tasks of their own, cut by video content; each loads the model."""
