"""What the streaming guard is asked and answers, frame by frame: the one place where training and inference write it.

The conversation of a video is cut at its clips. Each part opens with the prompt and the text of the clips before, without
their images; so what a model must keep in mind of a stream stays short, and is the same in training as in a live stream.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from videoguard.dataset.messages import Message, Part
from videoguard.manifests.formats.guard_categories import CATEGORIES, SAFE

CODES = tuple(CATEGORIES)
CLIP_FRAMES = 8
"""Frames of a clip of a stream that is not cut by anyone else."""
EARLIER_CLIPS = 8
"""Clips whose text is kept in mind while a clip is judged."""
RESPONSE_CLIPS = 64
"""Clips whose text the answer after the last clip is written from."""

_CONTINUE = "<continue>"
_END_OF_VISION = "<|vision_end|>"
_SUMMARY = re.compile(r"<summary>(.*?)(?:</summary>|\Z)", re.DOTALL)
_DESCRIPTION = re.compile(r"DESCRIPTION:(.*?)(?:GUARDRAIL:|</response>|\Z)", re.DOTALL)
_GUARDRAIL = re.compile(r"GUARDRAIL:\s*(\{.*?\})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClipNote:
    """What is kept of a clip that is over."""

    labels: tuple[str, ...]
    """Categories of any of its frames, sorted; none where it is safe."""
    summary: str | None
    """None where nobody has written one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answer after the last clip says."""

    description: str | None
    labels: tuple[str, ...] | None
    """Categories that its guardrail names; None where it has none that can be read."""


def frame_answer(labels: Sequence[str]) -> str:
    """The answer to a frame that is not the last of its clip: `<label><unsafe:C3><continue></label>`."""
    return f"<label>{_tags(labels)}{_CONTINUE}</label>"


def closing_answer(labels: Sequence[str], summary: str | None) -> str:
    """The answer to the last frame of a clip: `<label><safe></label><summary>…</summary>`."""
    return f"<label>{_tags(labels)}</label>" + ("" if summary is None else f"<summary>{summary}</summary>")


def open_clip(question: str, system: str | None, earlier: Sequence[ClipNote]) -> list[Message]:
    """The messages that show the first frame of a clip, after those of `earlier` that are kept in mind."""
    asked: Message = {"role": "user", "content": [_text(_recall(question, earlier[-EARLIER_CLIPS:])), {"type": "image"}]}
    return [*_system(system), asked]


def next_frame(answer: str) -> list[Message]:
    """The answer to a frame, and the message that shows the one after it."""
    return [{"role": "assistant", "content": [_text(answer)]}, {"role": "user", "content": [{"type": "image"}]}]


def clip_conversation(
    question: str,
    system: str | None,
    earlier: Sequence[ClipNote],
    frames: Sequence[Sequence[str]],
    summary: str | None,
) -> list[Message]:
    """The conversation of one clip with all answers.

    Args:
        question: the prompt.
        system: system message.
        earlier: the clips before, in order.
        frames: categories of each frame, at least one frame.
        summary: of the clip.
    """
    messages = open_clip(question, system, earlier)
    for labels in frames[:-1]:
        messages += next_frame(frame_answer(labels))
    messages.append({"role": "assistant", "content": [_text(closing_answer(frames[-1], summary))]})
    return messages


def response_conversation(
    question: str, system: str | None, clips: Sequence[ClipNote], answer: str | None = None
) -> list[Message]:
    """The conversation after the last clip: the text of the clips, and the answer where it is given."""
    asked = f"{_recall(question, choose_clips(clips))}{_END_OF_VISION}"
    answered: list[Message] = [] if answer is None else [{"role": "assistant", "content": [_text(answer)]}]
    return [*_system(system), {"role": "user", "content": [_text(asked)]}, *answered]


def choose_clips(clips: Sequence[ClipNote], most: int = RESPONSE_CLIPS) -> list[ClipNote]:
    """At most so many of the clips, in order: the latest unsafe ones, and as many of the safe ones as there is room for."""
    unsafe = [place for place, clip in enumerate(clips) if clip.labels]
    safe = [place for place, clip in enumerate(clips) if not clip.labels]
    unsafe = unsafe[-most:]
    room = most - len(unsafe)
    return [clips[place] for place in sorted([*unsafe, *(safe[-room:] if room else [])])]


def read_summary(text: str) -> str | None:
    """The summary in an answer that closes a clip; None where it has none."""
    found = _SUMMARY.search(text)
    return None if found is None else " ".join(found[1].split())


def read_response(text: str) -> Verdict:
    """What an answer after the last clip says."""
    described, guarded = _DESCRIPTION.search(text), _GUARDRAIL.search(text)
    description = None if described is None else " ".join(described[1].split())
    return Verdict(description, None if guarded is None else _read_guardrail(guarded[1]))


def _read_guardrail(text: str) -> tuple[str, ...] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    names: Mapping[str, str] = {name: code for code, name in CATEGORIES.items()} | {code: code for code in CODES}
    states = said.items() if isinstance(said, dict) else []
    seen = {names[name]: state for name, state in states if name in names and isinstance(state, bool)}
    return tuple(sorted(code for code, state in seen.items() if state)) if len(seen) == len(CODES) else None


def _tags(labels: Sequence[str]) -> str:
    return "".join(f"<unsafe:{code}>" for code in sorted(labels)) or f"<{SAFE}>"


def _recall(question: str, clips: Sequence[ClipNote]) -> str:
    return "".join(f"{line}\n" for line in [question, *(closing_answer(clip.labels, clip.summary) for clip in clips)])


def _system(text: str | None) -> list[Message]:
    return [] if text is None else [{"role": "system", "content": [_text(text)]}]


def _text(text: str) -> Part:
    return {"type": "text", "text": text}
