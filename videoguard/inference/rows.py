"""`AnswerRow`: what a model said about one sample, or why it said nothing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class AnswerRow(BaseModel):
    """One line of `rows.jsonl`.

    A failed row has `answer` None and its reason in `error`; an answer that is empty is the empty string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    video: str
    group: str
    """Source video: rows of one group are not independent of each other."""
    label: str | None
    """Exercise or class of the wanted answer, where it names one."""
    question: str
    reference: str
    """The wanted answer."""
    status: Literal["ok", "failed"]
    answer: str | None = None
    mean_token_logprob: float | None = None
    """Mean natural log-probability of the generated tokens."""
    new_tokens: int | None = None
    latency_s: float | None = None
    """Share of the batch's wall time that falls on this row, seconds."""
    error: str | None = None


def read_rows(path: Path) -> list[AnswerRow]:
    """Rows of a `rows.jsonl` file, in file order."""
    with path.open(encoding="utf-8") as lines:
        return [AnswerRow.model_validate_json(line) for line in lines]


def write_rows(path: Path, rows: Iterable[AnswerRow]) -> None:
    """Write rows as JSON Lines."""
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(row.model_dump_json() + "\n" for row in rows)
