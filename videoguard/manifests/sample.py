"""`Sample`: what is shown, what is asked and which answer is wanted, whatever format it came in."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

Split: TypeAlias = Literal["train", "validation", "test"]
Scalar: TypeAlias = str | int | float | bool
MediaSource: TypeAlias = Path | tuple[Path, ...]
"""What frames are made of: the file of a video, or images in their order."""

_MARK = "#images-"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer that come before the question of a sample."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a guarded video: a clip of its own, a span of time, or both."""

    labels: tuple[str, ...]
    """Categories `C1` to `C6`; none where the part is safe."""
    start: float | None = None
    """Seconds from the beginning of the whole video."""
    end: float | None = None
    video: str | None = None
    """File of the clip, relative to the media root."""
    description: str | None = None


@dataclass(frozen=True, slots=True)
class GuardAnnotation:
    """What the streaming guard is to see in a video."""

    labels: tuple[str, ...]
    """Categories of the whole video; none where it is safe."""
    segments: tuple[Segment, ...] = ()
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a manifest.

    It shows a video, or images in their order, or neither (text only). Media are named relative to the media root; the
    files need not exist. `id` is unique within the manifest and does not depend on the order of its rows.
    """

    id: str
    root: Path
    """Folder that media names are relative to."""
    question: str
    answer: str | None
    """None where the manifest wants none (live segments, world generation)."""
    video: str | None = None
    images: tuple[str, ...] = ()
    split: Split | None = None
    """`train`, `validation` or `test` where the manifest assigns one."""
    label: str | None = None
    """The class, where the manifest states it and does not leave it to the answer."""
    system: str | None = None
    """System message of the row."""
    history: tuple[Exchange, ...] = ()
    """Exchanges before the question, in order."""
    guard: GuardAnnotation | None = None
    output_video: str | None = None
    """Where a generated video is to be put."""
    fields: Mapping[str, Scalar] = field(default_factory=dict, hash=False)
    """Other fields of the row, such as `subject`: to group by and to fill prompts with."""

    @property
    def clip(self) -> str | None:
        """Name of what is shown: the video, or the images together; None where the sample is text alone."""
        if not self.images:
            return self.video
        digest = hashlib.sha256(json.dumps(self.images).encode("ascii")).hexdigest()
        return f"{self.images[0]}{_MARK}{digest[:8]}"

    @property
    def clips(self) -> tuple[str, ...]:
        """Names of all that frames are taken of: the clips of a guarded video that is cut into some, else `clip`."""
        cut = () if self.guard is None else tuple(part.video for part in self.guard.segments if part.video is not None)
        return cut or (() if self.clip is None else (self.clip,))

    @property
    def path(self) -> Path | None:
        """File of the video."""
        return None if self.video is None else self.root / self.video

    @property
    def source(self) -> MediaSource | None:
        """Files that the frames of `clip` are made of."""
        return tuple(self.root / image for image in self.images) or self.path

    @property
    def media(self) -> tuple[str, ...]:
        """Names of every file that the sample shows, each once."""
        if self.guard is None and not self.images:
            return () if self.video is None else (self.video,)
        clips = self.guard.segments if self.guard is not None else ()
        names = (self.video, *self.images, *(clip.video for clip in clips))
        return tuple(dict.fromkeys(name for name in names if name is not None))


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that could not be read: where, in which field, and which rule it breaks."""

    row: int
    """Position in the manifest, from 0."""
    field: str
    problem: str

    def __str__(self) -> str:
        """Say it in one line, as the terminal and the report show it."""
        return f"row {self.row}, {self.field}: {self.problem}"


def media_sources(samples: Iterable[Sample]) -> dict[str, MediaSource]:
    """The files of each clip by its name."""
    sources: dict[str, MediaSource] = {}
    for sample in samples:
        if sample.source is not None and sample.clips == (sample.clip,):
            sources[sample.clips[0]] = sample.source
        else:
            sources.update({clip: sample.root / clip for clip in sample.clips})
    return sources


def files_of(source: MediaSource) -> tuple[Path, ...]:
    """The files of a source."""
    return (source,) if isinstance(source, Path) else source


def file_to_open(clip: str) -> str:
    """The file that shows a clip best to a reader: the video, or the first of the images."""
    return clip.partition(_MARK)[0]
