"""What the evaluation process is asked, and what it answers."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from videoguard.config import JudgeSection
from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.sentence_model import locate_sentence_model, weights_size
from videoguard.evaluation.wordnet import provide_wordnet


class EvaluationRequest(BaseModel):
    """Scores wanted of one model's answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: tuple[Path, ...]
    """`rows.jsonl` files of the inference."""
    metrics: tuple[str, ...]
    sentence_model: str
    seed: int
    """Of the bootstrap."""
    answer_schema: dict[str, JsonValue] | None = None
    """JSON Schema that `json_schema` measures by; None where answers are no JSON."""
    labels: tuple[str, ...] = ()
    """The known labels; none stands for those of the rows."""
    custom: Path | None = None
    """Python file with the user's own metrics."""
    judge: JudgeSection | None = None
    """Who rates the answers."""
    scores: tuple[Path, ...] = ()
    """`scores.jsonl` files of scores that were made elsewhere."""
    state: Path
    output: Path
    """Folder that gets `evaluation.json`."""


class EvaluationReply(BaseModel):
    """Means by metric; None where nothing was scored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    means: dict[str, float | None]


def available_resources(sentence_model: str, state: Path) -> dict[str, str]:
    """Which resources of the metrics are on this machine: scores made without one differ from those made with it.

    The encoder is told by the size of its weights, which finds a download that was cut off; the evaluation reads them whole.
    """
    try:
        located = locate_sentence_model(sentence_model, download=False, check=False)
        encoder = f"{located.name}, {weights_size(located)} bytes"
    except MissingResourceError:
        encoder = "absent"
    try:
        provide_wordnet(state, install=False)
        wordnet = "present"
    except MissingResourceError:
        wordnet = "absent"
    return {"sentence_model": encoder, "wordnet": wordnet}
