"""`video-guard`: the commands, and what each kind of failure does to the exit status."""

import logging
import os
import sys
import warnings

import typer

from commands.artifacts import app as artifacts
from commands.compare import compare
from commands.data import app as data
from commands.doctor import doctor
from commands.estimate import estimate
from commands.export import export
from commands.guard import guard
from commands.models import app as models
from commands.nightly import nightly
from commands.predict import predict
from commands.run import run
from commands.score import score
from commands.serve import api_key, serve
from commands.up import down, status, up
from commands.world import app as world
from videoguard.errors import UnavailableError, UserError
from videoguard.importing import end_quickly

FELL_SHORT, REFUSED = 1, 2

app = typer.Typer(
    help="Fine-tune video-language models on private video, and know every morning whether they are still good.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(nightly)
app.command()(score)
app.command()(compare)
app.command()(estimate)
app.command()(doctor)
app.command()(export)
app.command()(guard)
app.command()(predict)
app.command()(serve)
app.command(name="api-key")(api_key)
app.command()(up)
app.command()(status)
app.command()(down)
app.add_typer(data, name="data")
app.add_typer(artifacts, name="artifacts")
app.add_typer(models, name="models")
app.add_typer(world, name="world")


def main() -> None:
    """Run a command; exit 0 when done, 1 when something fell short, 2 when the input was refused, 130 when interrupted."""
    # No part of the program phones home.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # What libraries tell their developers is nothing that a user can act on.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    for chatty in ("DeepSpeed", "bitsandbytes.backends.cpu.ops"):
        logging.getLogger(chatty).addFilter(lambda record: record.levelno > logging.WARNING)
    end_quickly()
    try:
        app()
    except UserError as refusal:
        sys.stderr.write(f"error: {refusal}\n")
        sys.exit(REFUSED)
    except UnavailableError as fault:
        sys.stderr.write(f"error: {fault}\n")
        sys.exit(FELL_SHORT)


if __name__ == "__main__":
    main()
