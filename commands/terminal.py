"""What a run shows in the terminal: progress of its steps, and what it came to."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from commands.figures import calibration_words, difference_words, p_words, summary_words
from commands.standing import Standing
from videoguard.evaluation.promotion import PromotionDecision
from videoguard.evaluation.scores import MetricSummary
from videoguard.progress import STARTING, Progress, Totals, listening
from videoguard.summary import RunSummary, StepAccount

_MOST_LISTED = 20
_OUTCOME_COLOURS = {"promoted": "green", "held back": "yellow", "undecided": "red"}
_START_PAGES = "after `video-guard up`"
_MODELS = {"base": "base model", "fine_tuned": "fine-tuned"}


class RunDisplay:
    """A bar for each step that tells its progress."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._totals = Totals()
        self._listening = listening(self._show)

    def __enter__(self) -> "RunDisplay":
        self._listening.__enter__()
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()
        self._listening.__exit__(kind, error, traceback)

    def _show(self, progress: Progress) -> None:
        if progress.step not in self._tasks:
            self._tasks[progress.step] = self._bars.add_task(progress.step, note="")
        bar = self._tasks[progress.step]
        done, of = self._totals.add(progress)
        self._bars.update(bar, completed=done, total=of or None)
        # A note stays until the next one, but a step that goes on has started.
        if progress.note or self._bars.tasks[bar].fields["note"] == STARTING:
            self._bars.update(bar, note=progress.note)


def print_summary(console: Console, summary: RunSummary, standing: Standing | None = None) -> None:
    """Print the scores of the models side by side, what was left out, and where to look."""
    console.print(_scores(summary))
    for model, found in summary.calibration.items():
        console.print(f"labels, {_MODELS.get(model, model)}: {calibration_words(found)}", highlight=False)
    console.print()
    print_steps(console, summary.steps)
    print_list(console, "Left out (quarantined)", [f"{video}: {reason}" for video, reason in summary.quarantine.items()])
    _print_counts(console, "Rows left out, whose wanted answers break the JSON Schema", summary.dropped)
    _print_counts(console, "Uses of a rule that brought wanted answers to the JSON Schema", summary.repaired)
    if summary.left_out:
        console.print(f"{summary.left_out} videos left out by the rules of quality: see the sheet Quality of the workbook")
    print_list(console, "Manifest rows that could not be read", summary.problems)
    if summary.failed_rows:
        console.print(f"{summary.failed_rows} answers failed: see the sheet Errors of the workbook")
    console.print(f"\nWorkbook   {summary.workbook}", highlight=False, soft_wrap=True)
    if summary.page is not None:
        console.print(f"Page       {summary.page}", highlight=False, soft_wrap=True)
    console.print(f"Model      {summary.registered_model}, version {summary.version}", highlight=False)
    if summary.promotion is not None:
        _print_promotion(console, summary.promotion)
    console.print(f"MLflow     {_open_mlflow(summary.tracking_uri, standing)}", highlight=False, soft_wrap=True)
    console.print(f"Prefect    {_open_prefect(standing)}", highlight=False, soft_wrap=True)


def _print_promotion(console: Console, decision: PromotionDecision) -> None:
    colour = _OUTCOME_COLOURS[decision.outcome]
    words = f"[{colour}]{decision.outcome}[/{colour}], tested against {escape(decision.opponent)}"
    console.print(f"Promotion  {words}", highlight=False, soft_wrap=True)
    for reason in decision.reasons:
        console.print(f"           {escape(reason)}", highlight=False, soft_wrap=True)


def print_steps(console: Console, steps: Sequence[StepAccount]) -> None:
    """Print what was computed and what was reused; the title tells the time saved."""
    saved = sum(step.saved_seconds for step in steps)
    table = Table(title=f"steps: {_duration(saved)} saved by what was stored", title_justify="left")
    for heading in ("step", "computed", "reused", "time", "time saved"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step in steps:
        counts = (str(step.computed or ""), str(step.reused or ""))
        times = (_duration(step.seconds) if step.computed else "", _duration(step.saved_seconds) if step.reused else "")
        table.add_row(step.step, *counts, *times)
    console.print(table)
    for step in steps:
        if step.note:
            console.print(f"{step.step}: {step.note}", highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _scores(summary: RunSummary) -> Table:
    rows = ", ".join(f"{split} {number}" for split, number in summary.rows.items())
    table = Table(title=f"{summary.name}: {rows}", title_justify="left")
    table.add_column("metric")
    for model in summary.scores:
        table.add_column(_MODELS.get(model, model), justify="right")
    table.add_column("difference", justify="right")
    if summary.comparison is not None:
        table.add_column("p, corrected", justify="right")
    metrics = list(dict.fromkeys(metric for scores in summary.scores.values() for metric in scores))
    for metric in metrics:
        figures = [scores[metric] for scores in summary.scores.values()]
        table.add_row(metric, *map(summary_words, figures), *_difference(summary, metric, figures))
    return table


def _difference(summary: RunSummary, metric: str, figures: list[MetricSummary]) -> list[str]:
    """The last model against the first: over the samples scored for both, or of the means where nothing was compared."""
    if summary.comparison is None:
        first, last = figures[0].mean, figures[-1].mean
        return ["" if first is None or last is None or len(figures) < 2 else f"{last - first:+.3f}"]
    pair = summary.comparison.pair(summary.comparison.models[0], summary.comparison.models[-1], metric)
    return [difference_words(pair), "" if pair is None else p_words(pair.p_corrected)]


def print_list(console: Console, heading: str, lines: list[str], of: int | None = None) -> None:
    """Print a heading with the number of `lines`, or of what they sum up, and the lines."""
    if not lines:
        return
    console.print(f"\n{heading}: {len(lines) if of is None else of:,}", style="yellow")
    for line in lines[:_MOST_LISTED]:
        console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
    if len(lines) > _MOST_LISTED:
        console.print(f"  … and {len(lines) - _MOST_LISTED} more: see the sheet Errors of the workbook")


def _print_counts(console: Console, heading: str, rows: dict[str, int]) -> None:
    print_list(console, heading, [f"{rule}: {number:,}" for rule, number in rows.items()], sum(rows.values()))


def _open_mlflow(tracking_uri: str, standing: Standing | None) -> str:
    if tracking_uri.startswith(("http:", "https:")):
        return tracking_uri
    return f"{standing.mlflow if standing else _START_PAGES}  ({tracking_uri})"


def _open_prefect(standing: Standing | None) -> str:
    return standing.prefect if standing else _START_PAGES
