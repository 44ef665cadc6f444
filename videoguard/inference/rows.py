"""`AnswerRow`: what a model said about one sample, or why it said nothing."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from videoguard.inference.guard.trace import GuardTrace


class AnswerRow(BaseModel):
    """One line of `rows.jsonl`.

    A failed row has `answer` None and its reason in `error`; an answer that is empty is the empty string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    video: str | None
    """Name of the clip; None where the sample is text alone."""
    group: str
    """Source video, or question: rows of one group are not independent of each other."""
    label: str | None
    """Exercise or class of the wanted answer, where it names one."""
    question: str
    reference: str
    """The wanted answer."""
    status: Literal["ok", "failed"]
    answer: str | None = None
    """What counts as the model's answer: as generated, or after a repair of its JSON."""
    generated: str | None = None
    """What the model wrote, where a repair changed it; None where `answer` is as generated."""
    mean_token_logprob: float | None = None
    """Mean natural log-probability of the generated tokens."""
    predicted_label: str | None = None
    """The likeliest of the known labels, scored and not parsed from the answer; None where there are none."""
    label_probability: float | None = None
    """Probability of `predicted_label` among the known labels."""
    new_tokens: int | None = None
    latency_s: float | None = None
    """Share of the batch's wall time that falls on this row, seconds."""
    error: str | None = None
    guard: GuardTrace | None = None
    """Decisions, alarms and verdict of a video that was judged as a stream."""


def read_rows(path: Path) -> list[AnswerRow]:
    """Rows of a `rows.jsonl` file, in file order."""
    with path.open(encoding="utf-8") as lines:
        return [AnswerRow.model_validate_json(line) for line in lines]


def write_rows(path: Path, rows: Iterable[AnswerRow]) -> None:
    """Write rows as JSON Lines; the file appears whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    with temporary.open("w", encoding="utf-8") as lines:
        lines.writelines(row.model_dump_json() + "\n" for row in rows)
        lines.flush()
        os.fsync(lines.fileno())
    temporary.replace(path)
