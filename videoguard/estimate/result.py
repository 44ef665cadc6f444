"""What is asked of an estimate, and what it comes to. Loads no model code."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config import RunConfig
from videoguard.disk import Need, needed_space, size_in_words
from videoguard.errors import refuse_all


class EstimateRequest(BaseModel):
    """A recipe whose run is to be estimated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: RunConfig


@dataclass(frozen=True)
class Device:
    """What the training runs on."""

    name: str
    bytes: int
    """Memory that can be used."""
    is_gpu: bool


class TokenCounts(BaseModel):
    """Tokens of the examples of a split, prompt and answer together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    longest: int
    longest_sample: str
    mean: float
    total: int
    trained: int
    """Tokens of all answers with their ends of turn."""
    media_bytes: int
    """Largest media tensors of an example, bytes."""


class ParameterCounts(BaseModel):
    """Numbers of weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: int
    """Of the base model; tied weights count once."""
    trainable: int
    total: int
    """Of base and adapter."""

    @property
    def ratio(self) -> float:
        """Share of the weights that is trained."""
        return self.trainable / self.total


class Estimate(BaseModel):
    """What a run will take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    base: str
    samples: dict[str, int]
    """By split."""
    unreadable: dict[str, str]
    """Reason by clip that cannot be read, and will be quarantined."""
    examples: int
    """Of the training: the training split and its changed copies."""
    steps: int
    tokens: dict[str, TokenCounts]
    """By split; empty where the base has no tokenizer on disk: then each example is taken as long as it may be."""
    max_tokens: int
    parameters: ParameterCounts
    memory: list[Need]
    device: Device
    disk: list[Need]
    state: Path
    free_bytes: int
    """Free on the disk of the state folder."""

    @property
    def memory_bytes(self) -> int:
        """Memory of the training at its highest."""
        return sum(need.bytes for need in self.memory)

    @property
    def disk_bytes(self) -> int:
        """What the run writes, with a reserve."""
        return needed_space(self.disk)

    def problems(self) -> list[str]:
        """Why the run cannot be done here; none where it can."""
        found = [
            f"sample {counts.longest_sample} of {split} has {counts.longest:,} tokens: training.max_tokens is "
            f"{self.max_tokens:,}; raise it, or take fewer frames"
            for split, counts in self.tokens.items()
            if split != "test" and counts.longest > self.max_tokens
        ]
        if self.memory_bytes > self.device.bytes:
            found.append(
                f"the training needs {size_in_words(self.memory_bytes)} of memory, {self.device.name} has "
                f"{size_in_words(self.device.bytes)}; the largest part is {max(self.memory, key=_bytes).part}: lower "
                "training.batch_size (and raise training.accumulation), set training.gradient_checkpointing, or quantize"
            )
        if self.disk_bytes > self.free_bytes:
            found.append(
                f"the run writes {size_in_words(self.disk_bytes)} to {self.state}, {size_in_words(self.free_bytes)} are "
                "free there; make room, take fewer or smaller frames, or set execution.state to a folder on a larger disk"
            )
        return found


def require_possible(estimate: Estimate) -> None:
    """Raise `UserError` with all numbers where the run cannot be done on this machine."""
    refuse_all(estimate.name, estimate.problems())


def _bytes(need: Need) -> int:
    return need.bytes
