"""`ReportContent`: all that a workbook says, before any of it is laid out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from videoguard.config import SHEET_TITLES, Band, SamplesSection, SheetName
from videoguard.evaluation.comparison import Comparison
from videoguard.evaluation.scores import Evaluation
from videoguard.inference.rows import AnswerRow
from videoguard.nights.night import Night
from videoguard.quality.judging import JudgedVideo
from videoguard.recipes import flatten


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelResult(_Content):
    """One model's answers and their scores."""

    name: str
    version: str | None = None
    """Version in the registry; None for a model that is not registered."""
    rows: list[AnswerRow]
    evaluation: Evaluation

    @property
    def heading(self) -> str:
        """Name and version, as the tables and charts write them."""
        return self.name if self.version is None else f"{self.name}, version {self.version}"

    @model_validator(mode="after")
    def _scores_belong_to_rows(self) -> "ModelResult":
        ids = [row.id for row in self.rows]
        if len(set(ids)) < len(ids):
            raise ValueError(f"{self.name}: {len(ids) - len(set(ids))} of {len(ids)} rows repeat an id: ids must be unique")
        strangers = {scores.id for scores in self.evaluation.rows} - set(ids)
        if strangers:
            raise ValueError(f"{self.name}: scores of {min(strangers)!r} and {len(strangers) - 1} more ids that no row has")
        return self


class Quarantined(_Content):
    """A video that was left out, or a row of the manifest, and why."""

    video: str = ""
    sample: str = ""
    reason: str


class StoredFrame(_Content):
    """One frame of a video, as the frame store has it."""

    image: bytes
    """A JPEG or PNG file."""
    time_s: float | None = None
    """When it is shown, seconds from the start of the video; None for an image that is no video's."""


class RunFacts(_Content):
    """How the figures came about: names and values in named sections, in the order in which the sheet shows them.

    A value that is a web address becomes a link.
    """

    sections: dict[str, dict[str, str]] = {}


class ReportContent(_Content):
    """One workbook: the models, what went wrong, and the facts of the run."""

    title: str
    created: AwareDatetime
    models: Annotated[list[ModelResult], Field(min_length=1)]
    """The base first, the fine-tuned model last; the last one is the model that the workbook is about."""
    bands: dict[str, Band] = {}
    """Colour thresholds by metric; a metric without one stays uncoloured."""
    comparison: Comparison | None = None
    """The models pair by pair, by their `name`; None for one model, or where nothing was compared."""
    quarantine: list[Quarantined] = []
    quality: list[JudgedVideo] | None = None
    """Every video with its scores of quality, and why it was left out where it was; None where nothing was judged."""
    nights: list[Night] = []
    """Nightly evaluations, oldest first; the last is the one that the workbook is about."""
    row_problems: list[str] = []
    """Manifest rows that could not be read, one line each."""
    facts: RunFacts = RunFacts()
    partial: str | None = None
    """Why the figures are not for comparison, such as `limit=20`; None for a full run."""
    samples: SamplesSection = SamplesSection()
    """How many samples are shown with their frames, and by which metric they are chosen."""
    frames: dict[str, list[StoredFrame]] = {}
    """Stored frames by video, of those that `samples.pictured_videos` names; a video without any is shown without."""
    sheets: tuple[SheetName, ...] = tuple(SHEET_TITLES)
    """Sheets in their order; one that has nothing to say is left out."""
    sheet_titles: dict[SheetName, str] = {}
    """Titles of sheets that are not called as usual."""
    media_root: Path | None = None
    """Folder that relative video paths are joined to for their links; None leaves the links as the rows write them."""

    @property
    def main(self) -> ModelResult:
        """The model that the workbook is about."""
        return self.models[-1]

    def title_of(self, sheet: SheetName) -> str:
        """What the sheet is called."""
        return self.sheet_titles.get(sheet, SHEET_TITLES[sheet])


def settings_text(settings: Mapping[str, object]) -> dict[str, str]:
    """Nested settings as `section.key` → text, in their order: `{"lora": {"r": 16}}` gives `{"lora.r": "16"}`."""
    return {name: _text(value) for name, value in flatten(settings).items()}


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "not set" if value is None else str(value)
