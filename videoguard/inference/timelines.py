"""Answers that are timelines in JSON: of the windows of one video, put together into one of the whole video.

A timeline is a list of entries, or an object with one such list. An entry tells its time, from the beginning of what was
shown, by `start` and `end` or by `ts`: seconds, or a clock `mm:ss`, `h:mm:ss` or `mm:ss - mm:ss`. A game clock (`Q1 02:30`)
is no such time.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from videoguard.manifests.labels import parse_json

Span = tuple[float, float]
"""Start and end, seconds."""

_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,4}):([0-5]\d)")
_BETWEEN = re.compile(r"\s*[-–—]\s*")
# A clock tells whole seconds, and a window may begin between two.
_NEAR_SECONDS = 1.0
_DECIMALS = 3


@dataclass(frozen=True)
class _Entry:
    content: Mapping[str, Any]
    """As it was answered."""
    span: Span

    @property
    def told(self) -> str:
        """All but its time."""
        rest = {name: value for name, value in self.content.items() if name not in {"start", "end", "ts"}}
        return json.dumps(rest, sort_keys=True, ensure_ascii=False).casefold()

    def is_near(self, other: "_Entry") -> bool:
        """Whether the two overlap, as far as clocks tell."""
        (start, end), (its_start, its_end) = self.span, other.span
        return start <= its_end + _NEAR_SECONDS and its_start <= end + _NEAR_SECONDS

    def written(self) -> dict[str, Any]:
        """With its time in the form of its answer."""
        start, end = self.span
        changed: dict[str, Any] = {}
        if "ts" in self.content:
            clocks = _BETWEEN.split(self.content["ts"].strip())
            changed["ts"] = " - ".join(_clock_like(clock, at) for clock, at in zip(clocks, self.span, strict=False))
        for name, at in (("start", start), ("end", end)):
            if name in self.content:
                changed[name] = _like(self.content[name], at)
        return {**self.content, **changed}


def merge_timelines(answers: Sequence[tuple[str, Span]]) -> str | None:
    """One timeline out of those of windows.

    Each is moved by the start of its window. An entry that begins in what the window before has shown too, and tells the
    same at about the same time as one of that window, is that one: its time reaches from the earlier start to the later end.

    Args:
        answers: in the order of the video, each with the span of its window.

    Returns:
        JSON in the form of the first answer; None where one of the answers is no timeline.
    """
    read = [_read(text) for text, _ in answers]
    timelines = [found for found in read if found is not None]
    if not timelines or len(timelines) < len(read):
        return None
    merged: list[_Entry] = []
    earlier: list[int] = []
    shown = -math.inf
    for (_, entries), (_, (start, end)) in zip(timelines, answers, strict=True):
        of_window: list[int] = []
        for entry in entries:
            moved = replace(entry, span=(entry.span[0] + start, entry.span[1] + start))
            same = _find(moved, merged, earlier) if moved.span[0] < shown else None
            if same is None:
                of_window.append(len(merged))
                merged.append(moved)
            else:
                earlier.remove(same)
                of_window.append(same)
                known = merged[same].span
                merged[same] = replace(merged[same], span=(min(known[0], moved.span[0]), max(known[1], moved.span[1])))
        earlier, shown = of_window, end
    listed = [entry.written() for entry in sorted(merged, key=lambda entry: entry.span)]
    around = timelines[0][0]
    whole = listed if around is None else {name: listed if value is None else value for name, value in around.items()}
    return json.dumps(whole, ensure_ascii=False)


def _find(entry: _Entry, merged: Sequence[_Entry], among: Sequence[int]) -> int | None:
    same = [place for place in among if merged[place].told == entry.told and merged[place].is_near(entry)]
    return min(same, key=lambda place: abs(merged[place].span[0] - entry.span[0]), default=None)


def _read(text: str) -> tuple[dict[str, Any] | None, list[_Entry]] | None:
    """What stands around the list, which is None there, and its entries; None where the text is no timeline."""
    value = parse_json(text)
    around: dict[str, Any] | None = None
    listed: object = value
    if isinstance(value, dict):
        lists = [name for name, each in value.items() if isinstance(each, list)]
        if len(lists) != 1:
            return None
        listed = value[lists[0]]
        around = {name: None if name == lists[0] else each for name, each in value.items()}
    entries = [_entry(each) for each in listed] if isinstance(listed, list) else [None]
    found = [entry for entry in entries if entry is not None]
    return (around, found) if len(found) == len(entries) else None


def _entry(value: object) -> _Entry | None:
    if not isinstance(value, dict):
        return None
    if "start" in value and "end" in value:
        start, end = _seconds(value["start"]), _seconds(value["end"])
    elif isinstance(value.get("ts"), str):
        clocks = _BETWEEN.split(value["ts"].strip())
        start, end = _seconds(clocks[0]), _seconds(clocks[-1]) if len(clocks) <= 2 else None
    else:
        return None
    if start is None or end is None or end < start:
        return None
    return _Entry(value, (start, end))


def _seconds(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 <= value < 1e7 else None
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    return None if clock is None else int(clock[1] or 0) * 3600.0 + int(clock[2]) * 60 + int(clock[3])


def _like(value: object, seconds: float) -> object:
    if isinstance(value, str):
        return _clock_like(value, seconds)
    rounded = round(seconds, _DECIMALS)
    return int(rounded) if isinstance(value, int) and rounded.is_integer() else rounded


def _clock_like(written: str, seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if written.count(":") == 2:
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes:02d}:{rest:02d}"
