"""The timeline of a judged stream as a picture: thumbnails, how likely each category is, and the alarms."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from videoguard.inference.guard.trace import Alarm, FrameDecision, GuardTrace
from videoguard.manifests.formats.guard_categories import CATEGORIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Picture = tuple[float, npt.NDArray[np.uint8]]
"""Seconds from the beginning of the stream, and `(1, height, width, 3)` uint8 RGB."""

_THUMBNAILS = 10
_ALARM_COLOUR = "#c00000"
_WANTED_COLOUR = "#1f77b4"


def draw_timeline(trace: GuardTrace, pictures: Sequence[Picture], title: str, file: Path) -> None:
    """Write a PNG with the timeline.

    Args:
        trace: what was seen; at least one frame.
        pictures: of some frames of the stream, in order; may be none.
        title: heading.
        file: where to.
    """
    from matplotlib.figure import Figure, SubFigure

    frames = trace.frames
    shown = choose_pictures(pictures, trace.alarms)
    figure = Figure(figsize=(12, 5.0 if shown else 3.6), dpi=100, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    below: Figure | SubFigure = figure
    if shown:
        above, below = figure.subfigures(2, 1, height_ratios=(1.2, 2.4), squeeze=False)[:, 0]
        times = [frame.time for frame in frames]
        for axes, (time, picture) in zip(above.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            _draw_picture(axes, time, picture[0], frames[int(np.argmin(np.abs(np.subtract(times, time))))])
    _draw_probabilities(below.subplots(), trace)
    figure.savefig(file)


def choose_pictures(pictures: Sequence[Picture], alarms: Sequence[Alarm], most: int = _THUMBNAILS) -> list[Picture]:
    """Pictures spread over the stream, and the one of the first alarm among them."""
    if len(pictures) <= most:
        return list(pictures)
    places = set(np.linspace(0, len(pictures) - 1, most).round().astype(int).tolist())
    if alarms:
        first = min(range(len(pictures)), key=lambda place: abs(pictures[place][0] - alarms[0].time))
        if first not in places:
            inner = sorted(places)[1:-1]
            places.remove(min(inner, key=lambda place: abs(place - first)))
            places.add(first)
    return [pictures[place] for place in sorted(places)]


def _draw_picture(axes: "Axes", time: float, picture: npt.NDArray[np.uint8], decision: FrameDecision) -> None:
    axes.imshow(picture)
    axes.set_xticks([])
    axes.set_yticks([])
    said = "+".join(decision.labels) or "safe"
    axes.set_title(f"{clock(time)}  {said}", fontsize=8, color=_ALARM_COLOUR if decision.raised else "black")
    for spine in axes.spines.values():
        spine.set_color(_ALARM_COLOUR if decision.raised else "#999999")
        spine.set_linewidth(3 if decision.raised else 1)


def _draw_probabilities(axes: "Axes", trace: GuardTrace) -> None:
    frames = trace.frames
    codes = list(CATEGORIES)
    likely = np.array([[frame.probabilities.get(code, 0.0) for frame in frames] for code in codes])
    times = np.array([frame.time for frame in frames])
    last = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    edges = np.append(times, times[-1] + last)
    mesh = axes.pcolormesh(edges, np.arange(len(codes) + 1), likely, cmap="Reds", vmin=0.0, vmax=1.0)
    axes.figure.colorbar(mesh, ax=axes, label="probability", pad=0.01)
    for span in trace.spans:
        row = codes.index(span.category)
        axes.plot([span.start, span.end], [row + 0.93] * 2, color=_WANTED_COLOUR, linewidth=3, solid_capstyle="butt")
    for alarm in trace.alarms:
        row = codes.index(alarm.category)
        axes.plot(alarm.time, row + 0.5, marker="v", color=_ALARM_COLOUR, markersize=9, markeredgecolor="white")
    ends = [clip.frames[0].time for clip in trace.clips[1:] if clip.frames]
    for time in ends:
        axes.axvline(time, color="#bbbbbb", linewidth=0.8)
    axes.set_yticks(np.arange(len(codes)) + 0.5, [CATEGORIES[code] for code in codes], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(
        "seconds; ▼ alarm, grey line clip ends" + (", blue line unsafe as labelled" if trace.spans else ""), fontsize=9
    )


def clock(seconds: float) -> str:
    """A time of a stream as a reader has it: `1:05` or `1:00:05`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
