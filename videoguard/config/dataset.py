"""Who learns from what, and what the model is asked."""

from pathlib import Path
from typing import Literal

from pydantic import JsonValue, model_validator

from videoguard.config.section import Fraction, Section


class AnswerSection(Section):
    """Wanted answers that are JSON, and what they must look like."""

    format: Literal["json"] = "json"
    """What they are: JSON objects or arrays."""
    json_schema: Path | dict[str, JsonValue] | None = None
    """A JSON Schema (https://json-schema.org), or the path of a file with one; absent, any object or array fits. Wanted
    answers are held to it, the metric `json_schema` measures answers by it, and `inference.constrained` holds them to it."""
    clean: bool = True
    """Bring wanted answers that break the schema to it where a rule of docs/data.md can, and leave the others out, each
    with its reason. False refuses a manifest with such answers."""


class DatasetSection(Section):
    """Who learns from what, and what the model is asked."""

    validation: Fraction = 0.1
    """Share of source videos that choose the best adapter."""
    test: Fraction = 0.2
    """Share of source videos that are held out for the evaluation."""
    group_by: str = "video"
    """What must not stand in two splits: `video`, the content of the video file, or a field of the manifest such as
    `subject`, whose videos then stay together."""
    stratify: bool = True
    """Give every split some of each label that has enough groups for it."""
    system_prompt: str | None = None
    """System message put before every conversation in place of the manifest's own. `{label}`, `{question}`, `{system}`,
    `{video}` and `{any field of the manifest}` are filled in; `{{label}}` stands for `{label}`."""
    answer: AnswerSection | None = None
    """Absent, wanted answers are taken as they are."""
    question: str | None = None
    """Question asked of every video in place of the manifest's own; filled in likewise."""

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> "DatasetSection":
        if self.validation + self.test >= 1.0:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on: together they must be below 1"
            )
        return self
