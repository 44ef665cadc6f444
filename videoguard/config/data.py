"""Where the videos and the wanted answers are."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from videoguard.config.section import PositiveFloat, PositiveInt, Section


class SyntheticVideos(Section):
    """Stick-figure exercise videos that the run makes for itself (the quickstart)."""

    videos_per_form: PositiveInt = 31
    """Videos of each of the 24 pairs of exercise and form."""
    answers: Literal["text", "json"] = "text"
    """`exercise - feedback`, or a JSON object with exercise, form and feedback."""
    size: PositiveInt = 96
    """Width and height of a video, pixels (even)."""
    seconds: PositiveFloat = 2.0
    """Length of a video, seconds."""
    fps: PositiveInt = 12
    """Frames per second."""


class SyntheticGuardVideos(Section):
    """Videos in which signs that stand for unsafe content come and go, cut into clips (the streaming guard's quickstart)."""

    videos: PositiveInt = 120
    """Number of videos; each has two or three clips of three to six seconds."""
    size: PositiveInt = 96
    """Width and height of a video, pixels (even)."""
    fps: PositiveInt = 4
    """Frames per second."""


class DataSection(Section):
    """Where the videos and the wanted answers are."""

    manifest: Path
    """List of videos with their questions and wanted answers: a file in any format of docs/data.md, a folder that `datasets`
    saved, or `owner/data-set` of the Hugging Face hub."""
    media_root: Path | None = None
    """Folder that the video paths of the manifest are relative to; the manifest's own folder when absent."""
    allow_outside: bool = False
    """Let the manifest name videos outside `media_root`, by absolute paths or `..`."""
    synthetic: SyntheticVideos | None = None
    """Make these videos, and the manifest, before the run."""
    synthetic_guard: SyntheticGuardVideos | None = None
    """Make these videos, and the manifest `guard_clips.jsonl`, before the run."""

    @property
    def is_made(self) -> bool:
        """Whether the run makes the manifest."""
        return self.synthetic is not None or self.synthetic_guard is not None

    @model_validator(mode="after")
    def _one_set(self) -> "DataSection":
        if self.synthetic is not None and self.synthetic_guard is not None:
            raise ValueError("synthetic and synthetic_guard make the same manifest: give one of them")
        return self
