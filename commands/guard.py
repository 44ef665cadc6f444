"""`video-guard guard`: a video, a folder that grows or a camera, judged frame by frame as it comes."""

import json
import signal
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from videoguard.config import RegistrySection
from videoguard.manifests.formats.guard_categories import CATEGORIES

if TYPE_CHECKING:
    from videoguard.inference.guard.trace import Alarm, ClipTrace, FrameDecision
    from videoguard.inference.guard.watching import Seen, Watch, WatchReport

INTERRUPTED = 130
_BAR = 20
_LAST_FRAMES = 8
_LAST_CLIPS = 4
_STRIP = 240


def guard(
    source: Annotated[
        str, typer.Argument(metavar="VIDEO|FOLDER|URL", help="A video file, a folder of frames, or rtsp://… or http://…")
    ],
    model: Annotated[
        str, typer.Option(help="models:/NAME/VERSION, models:/NAME@ALIAS, the folder of an adapter, or a base model.")
    ],
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="C3=0.6", help="Probability from which on a category raises an alarm, or 0.6 for all (0.5)."),
    ] = None,
    fps: Annotated[float, typer.Option(min=0.01, help="Frames taken a second.")] = 1.0,
    clip_frames: Annotated[int, typer.Option(min=1, help="Frames of a clip, which is then summed up.")] = 8,
    wait: Annotated[
        float, typer.Option(min=0.1, help="Seconds without anything new after which a folder or camera has ended.")
    ] = 5.0,
    output: Annotated[Path, typer.Option(help="Folder for guard.json and guard.png.")] = Path("reports/guard"),
    fail_on_alarm: Annotated[bool, typer.Option("--fail-on-alarm", help="Exit with 1 where there was an alarm.")] = False,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Number format of the weights.")
    ] = "float32",
    base: Annotated[str | None, typer.Option(help="Base model in place of the recorded one: a folder or hub name.")] = None,
    state: Annotated[Path, typer.Option(help="State folder of the runs.")] = Path(".video-guard"),
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server, where it is not in the state folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON; the timeline goes to stderr.")] = False,
) -> None:
    """Judge a stream frame by frame, with alarms as they come, and write guard.json and the timeline guard.png.

    Exit status: 0 judged to its end, with alarms or without; 1 the stream broke off, something in it was not read, or there
    was an alarm and --fail-on-alarm; 2 the input was refused; 130 interrupted: what was decided so far is written.

    Example: video-guard guard lobby.mp4 --model models:/video-guard/1 --threshold C3=0.6
    """
    # Loading them takes seconds, and no other command needs them.
    from videoguard.inference.guard.watching import load_watch, read_thresholds
    from videoguard.registry.references import find_model

    thresholds = read_thresholds(threshold or [])
    console = Console(stderr=as_json)
    with console.status("loading the model"):
        named = find_model(model, RegistrySection(tracking_uri=tracking_uri).uri(state), base)
        watch = load_watch(
            named.base,
            named.adapter,
            source,
            dtype=dtype,
            fps=fps,
            clip_frames=clip_frames,
            wait=wait,
            thresholds=thresholds,
        )
    interrupted = _watch(watch, console, source)
    report = watch.report(model, thresholds)
    files = _write(watch, report, output)
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
    _print_end(console, report, files)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if not report.complete or report.dropped or (fail_on_alarm and report.trace.alarms):
        raise typer.Exit(1)


def _watch(watch: "Watch", console: Console, source: str) -> bool:
    """Judge the stream on a live screen, or line by line where nobody watches; whether it was interrupted."""
    screen = _Screen(source)
    # Whoever is asked to end by a service manager writes what was decided too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as shown:
            live = shown.enter_context(Live(screen, console=console, refresh_per_second=4)) if console.is_terminal else None
            for seen in watch.events():
                screen.add(seen, watch.alarms)
                if live is None:
                    _say(console, seen, watch)
    except KeyboardInterrupt:
        return True
    finally:
        signal.signal(signal.SIGTERM, before)
    return False


class _Screen:
    """The last frames, the clips, and a strip with one mark for each frame."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._frames: deque[FrameDecision] = deque(maxlen=_LAST_FRAMES)
        self._clips: deque[ClipTrace] = deque(maxlen=_LAST_CLIPS)
        self._strip: deque[str] = deque(maxlen=_STRIP)
        self._alarms: list[Alarm] = []
        self._count = 0

    def add(self, seen: "Seen", alarms: "list[Alarm]") -> None:
        from videoguard.inference.guard.trace import ClipTrace, FrameDecision

        self._alarms = alarms
        if isinstance(seen, FrameDecision):
            self._frames.append(seen)
            self._strip.append("alarm" if seen.raised else "unsafe" if seen.labels else "safe")
            self._count += 1
        elif isinstance(seen, ClipTrace):
            self._clips.append(seen)

    def __rich__(self) -> Group:
        last = self._frames[-1].time if self._frames else 0.0
        head = Text.assemble((self._source, "bold"), f"   {_clock(last)}, {self._count} frames   ")
        count = len(self._alarms)
        told = "no alarm" if not count else "1 alarm" if count == 1 else f"{count} alarms"
        head.append(told, "bold red" if count else "green")
        strip = Text()
        colours = {"alarm": "bold red", "unsafe": "yellow", "safe": "green"}
        for kind in self._strip:
            strip.append("█" if kind == "alarm" else "▄" if kind == "unsafe" else "▁", colours[kind])
        return Group(head, strip, self._table(), *self._told())

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("time", "says", "likeliest", "", "alarm"):
            table.add_column(name)
        for frame in self._frames:
            code = max(frame.probabilities, key=frame.probabilities.__getitem__)
            value = frame.probabilities[code]
            filled = round(value * _BAR)
            table.add_row(
                _clock(frame.time),
                Text("+".join(frame.labels) or "safe", "yellow" if frame.labels else "green"),
                f"{CATEGORIES[code]} {value:.2f}",
                Text("━" * filled, "red" if frame.raised else "cyan") + Text("━" * (_BAR - filled), "bright_black"),
                Text("+".join(frame.raised), "bold red"),
            )
        return table

    def _told(self) -> list[Text]:
        return [
            Text.assemble(
                (f"clip {_clock(clip.frames[0].time)}–{_clock(clip.frames[-1].time)} ", "dim"),
                ("+".join(clip.labels) or "safe", "yellow" if clip.labels else "green"),
                f" {clip.summary or ''}",
            )
            for clip in self._clips
        ]


def _say(console: Console, seen: "Seen", watch: "Watch") -> None:
    """One line for an alarm, and one for a clip."""
    from videoguard.inference.guard.trace import ClipTrace, FrameDecision

    if isinstance(seen, FrameDecision):
        for alarm in watch.alarms:
            if alarm.time == seen.time:
                _line(console, f"{_clock(seen.time)} ALARM {CATEGORIES[alarm.category]} {alarm.probability:.2f}")
    elif isinstance(seen, ClipTrace):
        times = f"{_clock(seen.frames[0].time)}–{_clock(seen.frames[-1].time)}"
        _line(console, f"{times} {'+'.join(seen.labels) or 'safe'} {seen.summary or ''}".rstrip())


def _write(watch: "Watch", report: "WatchReport", folder: Path) -> list[Path]:
    from videoguard.report.guard_timeline import draw_timeline

    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "guard.json"
    content = report.model_dump(mode="json")
    temporary = folder / ".guard.json"
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(written)
    if not report.trace.frames:
        return [written]
    drawn = folder / "guard.png"
    draw_timeline(report.trace, watch.pictures, f"{report.source}  ({len(report.trace.frames)} frames)", drawn)
    return [written, drawn]


def _print_end(console: Console, report: "WatchReport", files: list[Path]) -> None:
    trace = report.trace
    for alarm in trace.alarms[:10]:
        _line(console, f"alarm  {_clock(alarm.time)}  {CATEGORIES[alarm.category]}  {alarm.probability:.2f}")
    if len(trace.alarms) > 10:
        _line(console, f"       and {len(trace.alarms) - 10} more")
    if not trace.alarms:
        _line(console, f"no alarm in {len(trace.frames)} frames")
    if report.response is not None:
        verdict = (
            "cannot be read" if trace.verdict is None else ", ".join(CATEGORIES[code] for code in trace.verdict) or "safe"
        )
        _line(console, f"verdict: {verdict}" + (f" ({trace.description})" if trace.description else ""))
    for problem in report.problems:
        _line(console, f"not read: {problem}")
    if report.dropped:
        _line(console, f"{report.dropped} frames left out: the guard was behind the camera")
    if not report.complete:
        _line(console, "not judged to its end")
    _line(console, f"written: {', '.join(map(str, files))}")


def _line(console: Console, text: str) -> None:
    console.print(escape(text), highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    from videoguard.report.guard_timeline import clock

    return clock(seconds)
