"""How answers are generated."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videoguard.config.section import PositiveInt, Section


class InferenceSection(Section):
    """How answers are generated (greedily)."""

    engine: Literal["transformers", "vllm"] = "transformers"
    """What generates; `vllm` needs a GPU of NVIDIA or AMD and the extra `vllm`, and answers text and JSON."""
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

    @model_validator(mode="after")
    def _vllm_can_do_it(self) -> "InferenceSection":
        if self.engine == "vllm":
            if self.label_scores:
                raise ValueError(
                    "label_scores is true and engine is vllm: it gives no scores of labels; take one of the two"
                )
            if self.shards > 1:
                raise ValueError(f"shards is {self.shards} and engine is vllm, which takes one GPU: leave shards out")
            if self.device not in {"auto", "cuda"}:
                raise ValueError(f"device is {self.device} and engine is vllm, which runs on a GPU: take auto or cuda")
        return self
