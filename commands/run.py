"""`video-guard run`: the flow `train-eval` in this process."""

import signal
from contextlib import ExitStack
from importlib import import_module
from types import FrameType

import typer
from rich.console import Console

from commands.options import RecipeArgument, RefreshOption, SetOption, SummaryOption, VerboseOption
from commands.prefect_server import prefect_server
from commands.standing import find_standing
from commands.terminal import RunDisplay, print_summary
from videoguard.preflight import check_inputs
from videoguard.recipes import load_recipe
from videoguard.subprocesses import stop_children


def run(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    refresh: RefreshOption = None,
    as_json: SummaryOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Fine-tune and evaluate by a recipe: videos in; a registered adapter, its scores and a workbook out.

    Exit status: 0 done; 1 done, but something was left out or failed and is listed; 2 the input was refused.

    Example: video-guard run configs/quickstart.yaml --set training.epochs=2 --set report.title=Trial
    """
    config = load_recipe(recipe, overrides or [])
    check_inputs(config)
    # With --json the standard output holds nothing but the summary.
    console = Console(stderr=as_json)
    signal.signal(signal.SIGINT, interrupt)
    with ExitStack() as served:
        with console.status("starting Prefect"):
            flow = "flows.train_eval"
            served.enter_context(
                prefect_server(config.execution.state, verbose=verbose, meanwhile=lambda: import_module(flow))
            )
            from flows.train_eval import train_eval
        with RunDisplay(console):
            summary = train_eval(str(recipe), overrides or [], refresh or [])
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
    else:
        print_summary(console, summary, find_standing())
    if not summary.complete:
        raise typer.Exit(1)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C: end the child processes first."""
    # Steps that run in threads would otherwise take their ended child for a failure and start it again.
    stop_children()
    signal.default_int_handler(number, frame)
