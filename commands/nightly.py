"""`video-guard nightly`: the flow `nightly-eval` in this process."""

import signal
from contextlib import ExitStack
from importlib import import_module
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from commands.figures import summary_words
from commands.options import RecipeArgument, RefreshOption, SetOption, SummaryOption, VerboseOption
from commands.prefect_server import prefect_server
from commands.run import interrupt
from commands.terminal import RunDisplay, print_list, print_steps
from videoguard.errors import refuse_all
from videoguard.nights.notice import check_addresses
from videoguard.nights.options import NightlyOptions
from videoguard.preflight import check_inputs
from videoguard.recipes import describe_faults, load_recipe
from videoguard.summary import NightSummary

_COLOURS = {"passed": "green", "regressed": "red", "drifted": "yellow", "undecided": "yellow"}


def nightly(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="champion|candidate|base", help="Ask this model alone; may be given several times."),
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Apprise URL that is told where the night falls short; $NAME is a variable."),
    ] = None,
    new_standard: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Compare with no earlier night; later ones are held to this one."),
    ] = None,
    promote: Annotated[
        bool | None,
        typer.Option("--promote/--no-promote", help="Whether a candidate that is shown to be better becomes champion."),
    ] = None,
    refresh: RefreshOption = None,
    as_json: SummaryOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask champion, candidate and base about the test samples of today, and compare with the nights before.

    Only what is new is computed. Exit status: 0 the champion is as good as it was; 1 it is not, it could not be told, or
    something was left out and is listed; 2 the input was refused.

    Example: video-guard nightly configs/mine.yaml --notify 'mailto://$MAIL_USER:$MAIL_PASSWORD@example.com'
    """
    options = _options(
        recipe=str(recipe),
        overrides=overrides or [],
        models=models or [],
        notify=notify or [],
        new_standard=new_standard,
        promote=promote,
        refresh=refresh or [],
    )
    config = options.apply(load_recipe(recipe, options.overrides))
    check_addresses(config.nightly.notify)
    check_inputs(config)
    console = Console(stderr=as_json)
    signal.signal(signal.SIGINT, interrupt)
    with ExitStack() as served:
        with console.status("starting Prefect"):
            served.enter_context(prefect_server(config.execution.state, verbose=verbose, meanwhile=_import_ahead))
            from flows.nightly_eval import nightly_eval, summary_of
        with RunDisplay(console):
            ended = nightly_eval(options, return_state=True)
        summary = summary_of(ended)
    if summary is None:
        console.print(f"{ended.name}: {ended.message}", style="yellow", highlight=False)
        raise typer.Exit(1)
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
    else:
        _print(console, summary)
    if not summary.complete:
        raise typer.Exit(1)


def _import_ahead() -> None:
    """Import what every night needs, while there is nothing else to do than to wait for the server."""
    for module in ("flows.nightly_eval", "videoguard.registry.trend", "videoguard.report.workbook", "scipy.stats"):
        import_module(module)


def _options(**given: object) -> NightlyOptions:
    try:
        return NightlyOptions.model_validate(given)
    except ValidationError as invalid:
        refuse_all("the options of the night", describe_faults(invalid, NightlyOptions))
        raise


def _print(console: Console, summary: NightSummary) -> None:
    night = summary.night
    table = Table(title=f"{night.recipe}: {night.samples:,} test samples, night of {night.date}", title_justify="left")
    table.add_column("metric")
    for name, model in night.asked.items():
        table.add_column(name if model.version is None else f"{name}, version {model.version}", justify="right")
    table.add_column("since last good night", justify="right")
    table.add_column("p, corrected", justify="right")
    pairs = {pair.metric: pair for pair in night.comparisons[0].pairs} if night.comparisons else {}
    metrics = list(dict.fromkeys(metric for model in night.asked.values() for metric in model.scores))
    for metric in metrics:
        shown = [model.scores.get(metric) for model in night.asked.values()]
        pair = pairs.get(metric)
        change = "" if pair is None or pair.difference is None else f"{pair.difference:+.3f}"
        p_value = "" if pair is None or pair.p_corrected is None else f"{pair.p_corrected:.3g}"
        table.add_row(metric, *("not asked" if found is None else summary_words(found) for found in shown), change, p_value)
    console.print(table)
    print_steps(console, summary.steps)
    print_list(console, "Left out (quarantined)", [f"{video}: {reason}" for video, reason in summary.quarantine.items()])
    print_list(console, "Manifest rows that could not be read", summary.problems)
    for name, model in night.asked.items():
        if model.refusal is not None:
            console.print(f"{name} could not be asked: {escape(model.refusal)}", style="yellow", highlight=False)
    print_list(console, "Not told, since they did not take the message", summary.unsent)
    colour = _COLOURS[night.outcome]
    console.print(f"\nNight      [{colour}]{night.outcome}[/{colour}], {night.computed:,} answers made", highlight=False)
    for reason in night.reasons:
        console.print(f"           {escape(reason)}", highlight=False, soft_wrap=True)
    if night.promotion is not None:
        told = f"{night.promotion.outcome}, tested against {night.promotion.opponent}"
        console.print(f"Candidate  version {night.promotion.version} {told}", highlight=False, soft_wrap=True)
        for reason in night.promotion.reasons:
            console.print(f"           {escape(reason)}", highlight=False, soft_wrap=True)
    if summary.workbook is not None:
        console.print(f"Workbook   {summary.workbook}", highlight=False, soft_wrap=True)
    if summary.page is not None:
        console.print(f"Page       {summary.page}", highlight=False, soft_wrap=True)
