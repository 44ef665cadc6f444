"""The six categories of the streaming guard, and the answer that closes a video."""

import json
import re
from collections.abc import Sequence

from videoguard.manifests.fields import Row, show

CATEGORIES = {
    "C1": "C1(Sexual Content)",
    "C2": "C2(Harassment & Bullying)",
    "C3": "C3(Threats, Violence & Harm)",
    "C4": "C4(False & Deceptive Information)",
    "C5": "C5(Illegal/Regulated Activities)",
    "C6": "C6(Hateful Content & Extremism)",
}
QUESTION = (
    "<streaming_analysis> Judge each frame as it arrives: is it safe, or which categories of unsafe content does it show? "
    "Sum up each clip, and at the end the whole video."
)
"""Asked of every guarded video; `dataset.question` of the recipe asks another."""
SAFE = "safe"

_LABEL = re.compile(r"(?:unsafe:)?(C[1-6])(?:\(.*\))?", re.DOTALL)


def read_labels(row: Row, value: object, field: str) -> tuple[str, ...]:
    """Categories of a list such as `["C3"]`, or of a text such as `unsafe:C3,C6` or `safe`; sorted, each once."""
    if isinstance(value, str):
        written: list[object] = [part for part in re.split(r"[,;|\s]+", value) if part]
    else:
        written = row.optional_items(value, field)
    labels: set[str] = set()
    for label in written:
        known = _LABEL.fullmatch(label) if isinstance(label, str) else None
        if known is not None:
            labels.add(known[1])
        elif label != SAFE:
            row.refuse(field, f"holds {show(label)}: it must be safe or of C1 to C6")
    return tuple(sorted(labels))


def class_of(labels: Sequence[str]) -> str:
    """The class that a video is counted under: `safe`, `C3` or `C3+C6`."""
    return "+".join(labels) or SAFE


def guardrail_of(labels: Sequence[str]) -> dict[str, bool]:
    """Whether each category was seen, by its full name."""
    return {name: code in labels for code, name in CATEGORIES.items()}


def response(description: str | None, labels: Sequence[str]) -> str:
    """The answer after the last clip; without the description where there is none."""
    described = "" if description is None else f"DESCRIPTION: {description} "
    return f"<response>{described}GUARDRAIL: {json.dumps(guardrail_of(labels))}</response>"
