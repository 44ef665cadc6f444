"""Guarded videos as rows: what each frame is, the conversations that a guard learns from, and what it is tested on."""

from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from videoguard.dataset.guard_texts import ClipNote, clip_conversation, response_conversation
from videoguard.dataset.messages import Message, Prompt
from videoguard.errors import UserError
from videoguard.manifests.formats.guard_categories import response
from videoguard.manifests.sample import GuardAnnotation, Sample, Segment

TimesOf = Callable[[str], Iterable[float]]
"""When the stored frames of a clip are shown, seconds from its first, by the clip's name."""

_FRAME_SECONDS = 1.0
# Times of frames and of segments come from different clocks: this near to each other they are the same, seconds.
_TIE_S = 1e-3


class UnsafeSpan(BaseModel):
    """A part of a video that shows something unsafe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    start: float
    """Seconds from the beginning of the video."""
    end: float


class GuardedClip(BaseModel):
    """A clip, and what the guard is to see in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str
    """Name of the clip that the frames are stored of."""
    times: tuple[float, ...]
    """When its frames are shown, seconds from the beginning of the whole video."""
    frames: tuple[tuple[str, ...], ...]
    """Categories of each frame."""
    summary: str | None

    @property
    def note(self) -> ClipNote:
        """What is kept of the clip."""
        return ClipNote(tuple(sorted({code for frame in self.frames for code in frame})), self.summary)


class GuardedVideo(BaseModel):
    """A video cut into clips, and what the guard is to see in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: tuple[GuardedClip, ...]
    labels: tuple[str, ...]
    """Categories of the whole video."""
    spans: tuple[UnsafeSpan, ...]
    """Where something unsafe is seen, for each category apart, in order of their start."""

    @property
    def notes(self) -> list[ClipNote]:
        """What is kept of the clips."""
        return [clip.note for clip in self.clips]


def guarded_video(sample: Sample, times_of: TimesOf) -> GuardedVideo:
    """What the guard is to see in a sample, frame by frame.

    A clip has the labels of its segment. A video that is not cut into clips is one clip, and a frame of it has the labels of
    the segments that it falls into.

    Args:
        sample: with a guard annotation.
        times_of: when the stored frames of a clip are shown.

    Raises:
        UserError: a clip has no frames.
    """
    assert sample.guard is not None
    assert sample.video is not None
    guard = sample.guard
    if any(segment.video is not None for segment in guard.segments):
        clips, pieces = _of_clips(sample, guard, times_of)
    else:
        clips, pieces = _of_video(sample.video, guard, times_of)
    spans = sorted(_join(pieces), key=lambda span: (span.start, span.category))
    return GuardedVideo(clips=tuple(clips), labels=guard.labels, spans=tuple(spans))


def training_rows(sample: Sample, video: GuardedVideo, prompt: Prompt) -> list[dict[str, object]]:
    """The fields of each row that a guarded video is learnt from which are its own: a row a clip, and one for the end.

    The end is learnt where somebody has described the video.
    """
    rows: list[dict[str, object]] = []
    for number, clip in enumerate(video.clips):
        messages = clip_conversation(prompt.question, prompt.system, video.notes[:number], clip.frames, clip.summary)
        rows.append({"id": f"{sample.id}#clip-{number + 1}", "video": clip.video, "messages": messages})
    if sample.answer is not None:
        messages = response_conversation(prompt.question, prompt.system, video.notes, sample.answer)
        rows.append({"id": f"{sample.id}#response", "video": None, "messages": messages})
    return [{**row, "answer": _last_text(messages_of_row(row))} for row in rows]


def test_row(sample: Sample, video: GuardedVideo, prompt: Prompt) -> dict[str, object]:
    """The fields of the row that a guarded video is tested by which are its own."""
    assert sample.guard is not None
    answer = sample.answer or response(sample.guard.description, sample.guard.labels)
    return {
        "id": sample.id,
        "video": sample.video,
        "messages": response_conversation(prompt.question, prompt.system, video.notes, answer),
        "answer": answer,
        "guard": video.model_dump_json(),
    }


def messages_of_row(row: dict[str, object]) -> list[Message]:
    """The conversation of a row that is being built."""
    messages = row["messages"]
    assert isinstance(messages, list)
    return messages


def _of_clips(
    sample: Sample, guard: GuardAnnotation, times_of: TimesOf
) -> tuple[list[GuardedClip], list[tuple[float, float, tuple[str, ...]]]]:
    clips: list[GuardedClip] = []
    pieces = []
    begins = 0.0
    for segment in guard.segments:
        if segment.video is None:
            raise UserError(
                f"sample {sample.id}: some of its segments are clips and others are not; give every one its file"
            )
        shown = _times(times_of, segment.video)
        begins = begins if segment.start is None else segment.start
        ends = begins + shown[-1] + _spacing(shown) if segment.end is None else segment.end
        clips.append(
            GuardedClip(
                video=segment.video,
                times=tuple(begins + time for time in shown),
                frames=(segment.labels,) * len(shown),
                summary=segment.description,
            )
        )
        pieces.append((begins, ends, segment.labels))
        begins = ends
    return clips, pieces


def _of_video(
    name: str, guard: GuardAnnotation, times_of: TimesOf
) -> tuple[list[GuardedClip], list[tuple[float, float, tuple[str, ...]]]]:
    shown = _times(times_of, name)
    # Without segments the labels of the video are those of its every frame.
    ends = shown[-1] + _spacing(shown)
    segments = guard.segments or (Segment(guard.labels, 0.0, ends),)
    pieces = [(segment.start or 0.0, ends if segment.end is None else segment.end, segment.labels) for segment in segments]
    frames = tuple(
        tuple(sorted({code for start, end, labels in pieces if start - _TIE_S <= time < end - _TIE_S for code in labels}))
        for time in shown
    )
    return [GuardedClip(video=name, times=tuple(shown), frames=frames, summary=guard.description)], pieces


def _times(times_of: TimesOf, clip: str) -> Sequence[float]:
    times = [float(time) for time in times_of(clip)]
    if not times:
        raise UserError(f"clip {clip} has no frames: leave it out of the manifest")
    return times


def _spacing(times: Sequence[float]) -> float:
    return (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else _FRAME_SECONDS


def _join(pieces: Iterable[tuple[float, float, tuple[str, ...]]]) -> list[UnsafeSpan]:
    """The spans of each category; those that touch are one."""
    joined: list[UnsafeSpan] = []
    open_spans: dict[str, UnsafeSpan] = {}
    for start, end, labels in sorted(pieces):
        for category in labels:
            before = open_spans.get(category)
            if before is not None and start <= before.end + _FRAME_SECONDS:
                open_spans[category] = before.model_copy(update={"end": max(before.end, end)})
                continue
            if before is not None:
                joined.append(before)
            open_spans[category] = UnsafeSpan(category=category, start=start, end=end)
    return [*joined, *open_spans.values()]


def _last_text(messages: Sequence[Message]) -> str:
    return messages[-1]["content"][0].get("text") or ""
