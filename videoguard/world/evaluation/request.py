"""What the measuring process is asked, and what it tells."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.world.evaluation.measures import ClipMeasures


class MeasureRequest(BaseModel):
    """Clips to measure: folders of their artifacts, each with that of the base where there is one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: tuple[tuple[Path, Path | None], ...]


class MeasureReply(BaseModel):
    """Measures in the order of the clips."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measures: tuple[ClipMeasures, ...]
